/// The whole story in one place: samples in, beats judged, a decision out.
///
/// Any chunk size gives the same votes and decision, bit for bit. A watch is a value: a copy goes its own way.
public struct Watch: Sendable {
  private static let gapAtOnce: Int64 = 65_536  // samples in one push, so that a long gap needs no more memory
  private static let longestGapSeconds = 86_400.0

  private let sampleRateHz: Double
  private var judge: BeatJudge<AnyEncoder, AnyComparator>
  private var microvolts: MicrovoltCheck

  /// A watch that judges by `bundle`, for recordings of `sampleRateHz`.
  ///
  /// If their day is out of date for the bundle no beat votes; without a day, none is out of date. The day's baseline is
  /// what the beats are compared with, beside what is usual.
  /// - Throws: ``EdgeECGError/recording(_:)`` for a rate that no sensor has, and for a baseline of another day.
  public init(
    _ bundle: ECGBundle, sampleRateHz: Double = 512, day: CalendarDay? = nil, dayBaseline: DayBaseline? = nil
  ) throws(EdgeECGError) {
    if let day, let other = dayBaseline?.day, other != day {
      throw EdgeECGError.recording("the day's baseline is of \(other), the recording of \(day)")
    }
    self.sampleRateHz = sampleRateHz
    judge = try BeatJudge(
      encoder: AnyEncoder(engine: bundle.encoder), comparator: AnyComparator(engine: bundle.comparator),
      references: bundle.references, contract: bundle.contract, rule: bundle.rule, sampleRateHz: sampleRateHz, day: day,
      dayLevel: dayBaseline?.level)
    microvolts = MicrovoltCheck(sampleRateHz: sampleRateHz)  // a rate that was found to be one
  }

  /// Starts a new recording of the same day.
  public mutating func reset() {
    judge.reset()
    microvolts = MicrovoltCheck(sampleRateHz: sampleRateHz)
  }

  /// Takes the next raw samples in microvolts, any number of them; returns the beats judged since.
  ///
  /// A sample that is not a finite number is a missing one. Gaps up to 16 ms are interpolated; what a longer one touches,
  /// its RR interval included, comes back without a vote.
  /// - Throws: ``EdgeECGError/recording(_:)`` after ten seconds that span too little to be in microvolts, and what the
  ///   bundle's engines throw; the portable ones throw nothing here.
  public mutating func push(_ samplesMicrovolts: some Sequence<Double>) throws(EdgeECGError) -> [Judged] {
    guard !microvolts.isDone else { return try judge.push(samplesMicrovolts) }
    let samples = Array(samplesMicrovolts)  // looked at twice
    try microvolts.push(samples)
    return try judge.push(samples)
  }

  /// Declares that the sensor gave nothing for a while: the same as pushing that many missing samples.
  /// - Throws: ``EdgeECGError/recording(_:)`` for a gap that is negative or longer than a day.
  public mutating func gap(seconds: Double) throws(EdgeECGError) -> [Judged] {
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

  /// Whether the recording's day is out of date for the bundle, so that no beat votes.
  public var isOutOfDate: Bool { judge.isOutOfDate }

  /// What the beats so far say: above 0 speaks for the target.
  public var logOdds: Double { judge.tally.logOdds }

  /// The mean evidence of the beats so far; 0 if there is none.
  public var level: Double { judge.tally.level }

  /// Whether there are beats enough for a decision, and most of those found voted.
  public var canDecide: Bool { judge.tally.isEnough }

  /// What is known of the recording so far; final when all its samples were pushed.
  public var decision: Decision { judge.tally.decision }
}

/// The engine that a bundle has at the time.
private struct AnyEncoder: ECGEncoder {
  var engine: any ECGEncoder

  var beatLength: Int { engine.beatLength }
  var embeddingLength: Int { engine.embeddingLength }

  mutating func encode(_ beat: [Float], into embedding: inout [Float]) throws(EdgeECGError) {
    try engine.encode(beat, into: &embedding)
  }
}

private struct AnyComparator: ECGComparator {
  var engine: any ECGComparator

  var embeddingLength: Int { engine.embeddingLength }

  mutating func compare(
    _ embedding: [Float], with references: ReferenceBank, into logits: inout [Float]
  ) throws(EdgeECGError) {
    try engine.compare(embedding, with: references, into: &logits)
  }
}
