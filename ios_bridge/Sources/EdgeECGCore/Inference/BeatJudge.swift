/// One beat, what the references said of it, and what is known since.
public struct ECGJudgedBeat: Hashable, Sendable {
  /// The beat.
  public let beat: ECGBeat
  /// What the references said of it; nothing if it does not vote, and ``unusable`` says why.
  public let vote: ECGVote?
  /// Why it does not vote: of the signal (``ECGBeat/unusable``), or of what the watch knows.
  public let unusable: [ECGBeatReason]
  /// What is known since.
  public let decision: ECGDecision

  /// A beat that was judged already.
  public init(beat: ECGBeat, vote: ECGVote?, unusable: [ECGBeatReason], decision: ECGDecision) {
    (self.beat, self.vote, self.unusable, self.decision) = (beat, vote, unusable, decision)
  }
}

#if !hasFeature(Embedded)
  extension ECGJudgedBeat: Codable {}
#endif

/// The story from samples to a decision, for engines of types that are known.
///
/// Any chunk size gives the same votes and decision, bit for bit. A value: a copy goes its own way.
package struct BeatJudge<Encoder: ECGEncoder, Comparator: ECGComparator>: Sendable {
  private static var gapAtOnce: Int64 { 65_536 }  // samples in one push, so that a long gap needs no more memory
  private static var longestGapSeconds: Double { 86_400 }

  /// Whether the recording's day is out of date for the bundle, so that no beat votes.
  package let isOutOfDate: Bool
  /// What the beats so far add up to.
  package private(set) var tally: Tally
  /// What speaks against deciding the recording as a whole.
  private(set) var guards: Guards

  private let sampleRateHz: Double
  private var microvolts: MicrovoltCheck
  private var pushedSamples = 0

  private let references: ECGReferences
  private var encoder: Encoder
  private var comparator: Comparator
  private var beats: BeatStream
  private var embedding: [Float] = []
  private var logits: [Float] = []

  /// - Throws: ``EdgeECGError/recording(_:)`` for a rate that no sensor has, and for a baseline of another day.
  package init(
    _ parts: BundleParts<Encoder, Comparator>, sampleRateHz: Double, day: ECGCalendarDay?,
    dayBaseline: ECGDayBaseline? = nil
  ) throws(EdgeECGError) {
    if let day, let other = dayBaseline?.day, other != day {
      throw EdgeECGError.recording(
        "the day's baseline is of \(other.description), the recording of \(day.description)")
    }
    self.sampleRateHz = sampleRateHz
    (encoder, comparator, references) = (parts.encoder, parts.comparator, parts.references)
    isOutOfDate = references.distribution?.isOutOfDate(day) ?? false
    beats = try BeatStream(sampleRateHz: sampleRateHz, contract: parts.contract)
    tally = Tally(parts.rule, day: dayBaseline?.level)
    guards = Guards(parts.contract, limits: parts.guards, baseline: dayBaseline?.fingerprints ?? [])
    microvolts = MicrovoltCheck(sampleRateHz: sampleRateHz)  // a rate that was found to be one
  }

  /// Starts a new recording of the same day.
  package mutating func reset() {
    beats.reset()
    tally.reset()
    guards.reset()
    pushedSamples = 0
    microvolts = MicrovoltCheck(sampleRateHz: sampleRateHz)
  }

  /// Takes the next samples, a missing one as NaN; returns the beats judged since.
  /// - Throws: ``EdgeECGError/recording(_:)`` after ten seconds that span too little to be in microvolts, and what the
  ///   engines throw; the portable ones throw nothing here.
  package mutating func push(_ samplesMicrovolts: [Double]) throws(EdgeECGError) -> [ECGJudgedBeat] {
    try microvolts.push(samplesMicrovolts)
    pushedSamples += samplesMicrovolts.count
    var judged: [ECGJudgedBeat] = []
    for beat in beats.push(samplesMicrovolts) { judged.append(try judge(beat)) }
    return judged
  }

  /// Declares that the sensor gave nothing for a while: the same as pushing that many missing samples.
  /// - Throws: ``EdgeECGError/recording(_:)`` for a gap that is negative or longer than a day.
  package mutating func gap(seconds: Double) throws(EdgeECGError) -> [ECGJudgedBeat] {
    guard (0...Self.longestGapSeconds).contains(seconds) else {
      throw EdgeECGError.recording("a gap lasts less than 0 s, or more than a day")
    }
    var missing = Int64(clamped: (seconds * sampleRateHz).rounded(.toNearestOrEven))
    var judged: [ECGJudgedBeat] = []
    while missing > 0 {
      let size = min(missing, Self.gapAtOnce)
      judged += try push([Double](repeating: .nan, count: Int(size)))
      missing -= size
    }
    return judged
  }

  private mutating func judge(_ beat: ECGBeat) throws(EdgeECGError) -> ECGJudgedBeat {
    guard beat.isUsable else { return skipped(beat, beat.unusable) }
    guard !isOutOfDate else { return skipped(beat, [.outOfDate]) }
    try encoder.encode(beat.values, into: &embedding)
    if let distribution = references.distribution, distribution.distance(of: embedding) > distribution.limit {
      return skipped(beat, [.outOfDistribution])
    }
    try comparator.compare(embedding, with: references, into: &logits)
    guard embedding.allSatisfy({ $0.isFinite }), logits.allSatisfy({ $0.isFinite }) else {
      return skipped(beat, [.notANumber])
    }
    let vote = ECGVote(logits: logits, references: references)
    tally.add(vote, seconds: beat.knownAtSeconds)
    guards.add(beat.values, evidence: vote.evidence)
    return ECGJudgedBeat(beat: beat, vote: vote, unusable: [], decision: decision(after: beat.knownAtSeconds))
  }

  private mutating func skipped(_ beat: ECGBeat, _ reasons: [ECGBeatReason]) -> ECGJudgedBeat {
    tally.skip()
    guards.skip(reasons)
    return ECGJudgedBeat(beat: beat, vote: nil, unusable: reasons, decision: decision(after: beat.knownAtSeconds))
  }

  private func decision(after seconds: Double) -> ECGDecision {
    tally.decision.unless(guards.reasons(seconds), coveredSeconds: guards.fingerprint.coveredSeconds)
  }

  /// What is known of the recording so far; final when all its samples were pushed.
  package var decision: ECGDecision { decision(after: Double(pushedSamples) / sampleRateHz) }
}
