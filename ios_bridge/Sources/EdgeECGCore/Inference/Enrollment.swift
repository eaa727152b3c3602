/// Enrollment: fresh baseline recordings of three dates move a bundle's references after a drift, without training.
///
/// From month to month the level of a person's ECG drifts, and a bundle that has not seen these months is out of date.
/// So its references, all of them, move by the way from training's baseline to where the fresh one lies. The limit of
/// what is out of distribution grows as far as what enrolled lies further from the moved center than usual beats do,
/// and the bundle knows the days of what enrolled. `edge_ecg/enroll.py` gives the reasons of each number.
public struct ECGEnrollment: Hashable, Sendable {
  private static let fewestDates = 3  // one may differ from training's without a drift
  private static let implausible = 2.0  // times the limit of a beat: no drift goes this far, another person does
  private static let fewestBeats = 5
  private static let steps = 100  // of the geometric median; it is there after ten

  /// What one recording says of the baseline.
  public struct Sample: Hashable, Sendable {
    /// The recording's source.
    public let source: String
    /// When it was recorded; recordings that don't say count as of one day.
    public let day: ECGCalendarDay?
    /// Why it does not count.
    public let rejected: String?
    fileprivate let embeddings: [[Float]]

    fileprivate var date: String { day?.description ?? "unknown" }

    /// Usable beats.
    public var beats: Int { embeddings.count }

    /// How far its middle beat lies from what was seen.
    fileprivate func distance(_ distribution: TrainingDistribution) -> Double {
      median(embeddings.map(distribution.distance))
    }

    /// The middle of its embeddings.
    fileprivate var center: [Double] {
      (embeddings.first ?? []).indices.map { index in median(embeddings.map { Double($0[index]) }) }
    }
  }

  /// The recordings that were given.
  public let samples: [Sample]
  /// By how much the references move.
  public let shift: [Double]
  /// How far that is, in units of the way from the usual baseline to the usual target.
  public let distance: Double
  /// The bundle's references, moved.
  public let references: ECGReferences

  /// The recordings that count.
  public var used: [Sample] { samples.filter { $0.rejected == nil } }
  /// Their dates, in order; `unknown` for those that don't say theirs.
  public var dates: [String] { Set(used.map { $0.date }).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) } }

  /// What baseline recordings say of the level.
  /// - Throws: ``EdgeECGError/bundle(_:)`` if the bundle does not say what training has seen,
  ///   ``EdgeECGError/recording(_:)`` if no recording can be used, or those of fewer than three dates.
  package init<E, C>(_ parts: BundleParts<E, C>, recordings: [ECGRecording]) throws(EdgeECGError) {
    guard let distribution = parts.references.distribution else {
      throw EdgeECGError.bundle("\(parts.source): does not say what training has seen; export it again")
    }
    guard !parts.isEnrolled else {
      throw EdgeECGError.bundle("\(parts.source): is enrolled already; give the bundle that training made")
    }
    samples = try recordings.map { recording throws(EdgeECGError) in try Self.sample(parts, distribution, recording) }
    let used = samples.filter { $0.rejected == nil }
    let rejected = samples.compactMap { sample in sample.rejected.map { "\(sample.source): \($0)" } }
    guard !used.isEmpty else {
      throw EdgeECGError.recording(
        "no recording can be enrolled: \(rejected.isEmpty ? "there is none" : rejected.joined(separator: "; "))")
    }
    let dates = Set(used.map { $0.day })  // recordings that don't say theirs count as one date
    guard dates.count >= Self.fewestDates else {
      let told = dates.map { $0?.description ?? "unknown" }.sorted().joined(separator: ", ")
      throw EdgeECGError.recording(
        "baseline recordings of \(Self.fewestDates) dates are needed, these are of \(dates.count) (\(told)): one date may "
          + "differ from training's without a drift. Nothing was enrolled"
          + (rejected.isEmpty ? "" : " (not used: \(rejected.joined(separator: "; ")))"))
    }
    shift = Self.shift(used, from: distribution)
    distance = Self.length(shift) / distribution.betweenStates
    let moved = distribution.moved(by: shift)
    let stillAway = median(used.map { $0.distance(moved) })
    let limit = distribution.limit * max(1, stillAway)
    let known = moved.widened(to: limit).with(days: used.compactMap { $0.day })
    references = try parts.references.moved(by: shift, distribution: known)
  }

  private static func sample<E, C>(
    _ parts: BundleParts<E, C>, _ distribution: TrainingDistribution, _ recording: ECGRecording
  ) throws(EdgeECGError) -> Sample {
    var encoder = parts.encoder
    var embedding: [Float] = []
    let beats = try recording.beats(parts.contract).map { beat throws(EdgeECGError) -> [Float] in
      try encoder.encode(beat.values, into: &embedding)
      return embedding
    }
    var rejected: String?
    if beats.count < fewestBeats {
      rejected = "\(beats.count) usable beats, expected at least \(fewestBeats)"
    } else if median(beats.map(distribution.distance)) > implausible * distribution.limit {
      rejected = "too far from all that was seen: another person, or worn in another place"
    }
    return Sample(source: recording.source, day: recording.day, rejected: rejected, embeddings: beats)
  }

  /// From training's usual baseline to that of recordings, every date weighing the same.
  private static func shift(_ samples: [Sample], from distribution: TrainingDistribution) -> [Double] {
    let counts = Dictionary(grouping: samples, by: { $0.day }).mapValues { Double($0.count) }
    let place = geometricMedian(samples.map { $0.center }, weights: samples.map { 1 / (counts[$0.day] ?? 1) })
    return zip(place, distribution.baselineCenter).map { $0 - $1 }
  }

  private static func length(_ step: [Double]) -> Double {
    step.reduce(0) { $0 + $1 * $1 }.squareRoot()
  }

  /// The place with the least sum of weighted distances to points, by E. Weiszfeld's steps.
  private static func geometricMedian(_ points: [[Double]], weights: [Double]) -> [Double] {
    var place = average(points, weights)
    for _ in 0..<steps {
      let pull = zip(points, weights).map { point, weight in
        weight / max(zip(point, place).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot(), 1e-9)
      }
      place = average(points, pull)
    }
    return place
  }

  private static func average(_ points: [[Double]], _ weights: [Double]) -> [Double] {
    let total = weights.reduce(0, +)
    return (points.first ?? []).indices.map { index in
      zip(points, weights).reduce(0) { $0 + $1.0[index] * $1.1 } / total
    }
  }
}

private func median(_ numbers: [Double]) -> Double {
  let sorted = numbers.sorted()
  guard !sorted.isEmpty else { return .nan }
  let middle = sorted.count / 2
  return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
}
