/// One beat, what the references said of it, and what is known since.
public struct Judged: Hashable, Sendable {
  /// The beat.
  public let beat: Beat
  /// What the references said of it; nothing if it does not vote, and ``unusable`` says why.
  public let vote: Vote?
  /// Why it does not vote: of the signal (``Beat/unusable``), or of what the watch knows.
  public let unusable: [UnusableReason]
  /// What is known since.
  public let decision: Decision
}

/// The whole story in one place: samples in, beats judged, a decision out.
///
/// Any chunk size gives the same votes and decision, bit for bit. A watch is a value: a copy goes its own way.
public struct Watch: Sendable {
  private static let gapAtOnce: Int64 = 65_536  // samples in one push, so that a long gap needs no more memory
  private static let longestGapSeconds = 86_400.0

  /// Whether the recording's day is out of date for the bundle, so that no beat votes.
  public let isOutOfDate: Bool

  private let references: ReferenceBank
  private let sampleRateHz: Double
  private var encoder: any ECGEncoder
  private var comparator: any ECGComparator
  private var beats: BeatStream
  private var tally: Tally
  private var embedding: [Float] = []
  private var logits: [Float] = []

  /// A watch that judges by `bundle`, for recordings of `sampleRateHz`.
  ///
  /// If their day is out of date for the bundle no beat votes; without a day, none is out of date.
  /// - Throws: ``EdgeECGError/recording(_:)`` for a rate that no sensor has.
  public init(_ bundle: ECGBundle, sampleRateHz: Double = 512, day: CalendarDay? = nil) throws {
    references = bundle.references
    isOutOfDate = references.distribution?.isOutOfDate(day) ?? false
    self.sampleRateHz = sampleRateHz
    encoder = bundle.encoder
    comparator = bundle.comparator
    beats = try BeatStream(sampleRateHz: sampleRateHz, contract: bundle.contract)
    tally = Tally(labels: bundle.labels, constants: bundle.contract.voting)
  }

  /// Starts a new recording.
  public mutating func reset() {
    beats.reset()
    tally.reset()
  }

  /// Takes the next raw samples in microvolts, any number of them; returns the beats judged since.
  ///
  /// A sample that is not a finite number is a missing one. Gaps up to 16 ms are interpolated; what a longer one touches,
  /// its RR interval included, comes back without a vote.
  /// - Throws: what the bundle's engines throw; the portable ones throw nothing here.
  public mutating func push(_ samplesMicrovolts: some Sequence<Double>) throws -> [Judged] {
    try beats.push(samplesMicrovolts).map { try judge($0) }
  }

  /// Declares that the sensor gave nothing for a while: the same as pushing that many missing samples.
  /// - Throws: ``EdgeECGError/recording(_:)`` for a gap that is negative or longer than a day.
  public mutating func gap(seconds: Double) throws -> [Judged] {
    guard (0...Self.longestGapSeconds).contains(seconds) else {
      throw EdgeECGError.recording("a gap lasts \(seconds) s, expected 0 to \(Self.longestGapSeconds)")
    }
    var missing = Int64(clamped: (seconds * sampleRateHz).rounded(.toNearestOrEven))
    var judged: [Judged] = []
    while missing > 0 {
      let size = min(missing, Self.gapAtOnce)
      judged += try push(repeatElement(.nan, count: Int(size)))
      missing -= size
    }
    return judged
  }

  /// The evidence so far: above 0 speaks for the target.
  public var logOdds: Double { tally.logOdds }

  /// What is known of the recording so far.
  public var decision: Decision { tally.decision }

  private mutating func judge(_ beat: Beat) throws -> Judged {
    guard beat.isUsable else { return skipped(beat, beat.unusable) }
    guard !isOutOfDate else { return skipped(beat, [.outOfDate]) }
    try encoder.encode(beat.values, into: &embedding)
    if let distribution = references.distribution, distribution.distance(of: embedding) > distribution.limit {
      return skipped(beat, [.outOfDistribution])
    }
    try comparator.compare(embedding, with: references, into: &logits)
    guard embedding.allSatisfy(\.isFinite), logits.allSatisfy(\.isFinite) else { return skipped(beat, [.notANumber]) }
    let vote = Vote(logits: logits, references: references)
    return Judged(beat: beat, vote: vote, unusable: [], decision: tally.add(vote, seconds: beat.knownAtSeconds))
  }

  private mutating func skipped(_ beat: Beat, _ reasons: [UnusableReason]) -> Judged {
    Judged(beat: beat, vote: nil, unusable: reasons, decision: tally.skip())
  }
}
