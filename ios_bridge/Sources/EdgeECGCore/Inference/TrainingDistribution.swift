/// What training has seen, and what lies beyond all of it: another person's beat, or a day long after.
///
/// The distance of a beat is Mahalanobis' from the nearer of two centers, the usual beat of either state: differences
/// count in units of how much beats of one state usually differ in that direction. No distance finds a drift along the
/// axis on which the states differ, so the calendar says the rest. `edge_ecg/inference/novelty.py` names the sources and the reasons.
package struct TrainingDistribution: Hashable, Sendable {
  private static let week = 7
  private static let tensorNames: Set = ["centres", "directions", "variances", "limit", "days"]
  private static let lastOrdinal = 3_652_059.0  // 9999-12-31, beyond which Python has no day

  /// A beat further away than this must not vote.
  package let limit: Double

  /// From the first to the last known day, as ``ECGCalendarDay/ordinal`` counts; nothing if no recording said its day.
  package let days: ClosedRange<Int>?

  private let length: Int
  private let centers: [Double]  // (2, D): the usual beat of the baseline, and of the target
  private let directions: [Double]  // (K, D), orthonormal: where beats of one state differ most, ...
  private let variances: [Double]  // (K + 1,): ... how much along each of them, and along any other

  /// What the tensors `distribution.` of a file say of embeddings of `length` numbers, or nothing if it has none of them.
  /// - Throws: ``EdgeECGError/bundle(_:)`` for shapes or numbers that can't be.
  init?(_ file: Safetensors, length: Int) throws(EdgeECGError) {
    let prefix = "distribution."
    let names = file.entries.keys.filter { begins($0, with: prefix) }.map {
      String(decoding: $0.utf8.dropFirst(prefix.utf8.count), as: UTF8.self)
    }
    guard !names.isEmpty else { return nil }
    guard names.allSatisfy({ Self.tensorNames.contains($0) }) else {
      throw EdgeECGError.bundle("what training has seen holds a tensor that is not known: it is of another version")
    }
    func tensor(_ name: String, _ isWanted: ([Int]) -> Bool) throws(EdgeECGError) -> [Double] {
      let (shape, values) = try file.dequantizedFloats("distribution.\(name)")
      guard isWanted(shape) else {
        throw EdgeECGError.bundle("what training has seen has \(name) of shape \(shown(shape)), which can't be")
      }
      return values.map(Double.init)
    }
    func number(_ name: String) throws(EdgeECGError) -> Double { try tensor(name) { $0 == [] }.first ?? .nan }
    self.length = length
    centers = try tensor("centres") { $0 == [2, length] }
    directions = try tensor("directions") { $0.count == 2 && $0[0] < length && $0[1] == length }
    let kept = directions.count / max(length, 1)
    variances = try tensor("variances") { $0 == [kept + 1] }
    limit = try number("limit")
    days = try file.entries["distribution.days"] == nil ? nil : Self.days(tensor("days") { $0 == [2] || $0 == [0] })
    guard (variances + [limit]).allSatisfy({ $0 > 0 }) else {
      throw EdgeECGError.bundle("what training has seen holds a spread of 0 or less")
    }
  }

  private static func days(_ bounds: [Double]) throws(EdgeECGError) -> ClosedRange<Int>? {
    guard let first = bounds.first, let last = bounds.last else { return nil }
    guard 1 <= first, first <= last, last <= lastOrdinal else {
      throw EdgeECGError.bundle("what training has seen has days that are not a first and a last one")
    }
    return Int(first)...Int(last)
  }

  /// Whether a day is further from all known days than these span, and than a week; never, if none is known.
  package func isOutOfDate(_ day: ECGCalendarDay?) -> Bool {
    guard let day, let days else { return false }
    let reach = max(days.upperBound - days.lowerBound, Self.week)
    return !(days.lowerBound - reach...days.upperBound + reach).contains(day.ordinal)
  }

  /// How far an embedding lies from what training has seen: near 1 for a usual beat.
  package func distance(of embedding: [Float]) -> Double {
    precondition(embedding.count == length, "an embedding of the bundle's length")
    var nearest = Double.infinity
    for center in 0..<2 {
      let away = (0..<length).map { Double(embedding[$0]) - centers[center * length + $0] }
      var rest = away.reduce(0) { $0 + $1 * $1 }
      var squared = 0.0
      for direction in 0..<variances.count - 1 {
        var along = 0.0
        for index in 0..<length { along += away[index] * directions[direction * length + index] }
        rest -= along * along
        squared += along * along / variances[direction]
      }
      squared += max(0, rest) / variances[variances.count - 1]
      nearest = min(nearest, squared)
    }
    return (nearest / Double(length)).squareRoot()
  }

  /// The usual beat of the baseline.
  var baselineCenter: ArraySlice<Double> { centers.prefix(length) }

  /// How far the usual beats of the two states lie from each other.
  var betweenStates: Double {
    (0..<length).reduce(0) { $0 + (centers[length + $1] - centers[$1]) * (centers[length + $1] - centers[$1]) }
      .squareRoot()
  }

  /// The same, `by` further on.
  func moved(by: [Double]) -> TrainingDistribution {
    TrainingDistribution(self, centers: centers.indices.map { centers[$0] + by[$0 % length] }, limit: limit, days: days)
  }

  /// The same with another limit.
  func widened(to limit: Double) -> TrainingDistribution {
    TrainingDistribution(self, centers: centers, limit: limit, days: days)
  }

  /// The same, knowing these days as well as its own; where its own are not known, nothing can be out of date.
  func with(days more: [ECGCalendarDay]) -> TrainingDistribution {
    let ordinals = more.map { $0.ordinal }
    let known = days.map { min($0.lowerBound, ordinals.min() ?? .max)...max($0.upperBound, ordinals.max() ?? 0) }
    return TrainingDistribution(self, centers: centers, limit: limit, days: known)
  }

  private init(_ other: TrainingDistribution, centers: [Double], limit: Double, days: ClosedRange<Int>?) {
    self.centers = centers
    self.limit = limit
    self.days = days
    (length, directions, variances) = (other.length, other.directions, other.variances)
  }

  /// As tensors of the references' file.
  var tensors: [Safetensors.FloatTensor] {
    [
      ("distribution.limit", [], [Float(limit)]),
      ("distribution.centres", [2, length], centers.map { Float($0) }),
      ("distribution.directions", [variances.count - 1, length], directions.map { Float($0) }),
      ("distribution.variances", [variances.count], variances.map { Float($0) }),
      ("distribution.days", [days == nil ? 0 : 2], days.map { [Float($0.lowerBound), Float($0.upperBound)] } ?? []),
    ]
  }
}
