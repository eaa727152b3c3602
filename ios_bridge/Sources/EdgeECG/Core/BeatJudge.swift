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

  /// A beat that was judged already.
  public init(beat: Beat, vote: Vote?, unusable: [UnusableReason], decision: Decision) {
    (self.beat, self.vote, self.unusable, self.decision) = (beat, vote, unusable, decision)
  }
}

#if !hasFeature(Embedded)
  extension Judged: Codable {}
#endif

/// The story from samples to votes, for engines of types that are known: ``Watch`` on bare metal.
///
/// A value: a copy goes its own way.
struct BeatJudge<Encoder: ECGEncoder, Comparator: ECGComparator>: Sendable {
  let isOutOfDate: Bool
  private(set) var tally: Tally

  private let references: ReferenceBank
  private var encoder: Encoder
  private var comparator: Comparator
  private var beats: BeatStream
  private var embedding: [Float] = []
  private var logits: [Float] = []

  init(
    encoder: Encoder, comparator: Comparator, references: ReferenceBank, contract: Contract, rule: DecisionRule,
    sampleRateHz: Double, day: CalendarDay?, dayLevel: DayLevel?
  ) throws(EdgeECGError) {
    self.encoder = encoder
    self.comparator = comparator
    self.references = references
    isOutOfDate = references.distribution?.isOutOfDate(day) ?? false
    beats = try BeatStream(sampleRateHz: sampleRateHz, contract: contract)
    tally = Tally(rule, day: dayLevel)
  }

  mutating func reset() {
    beats.reset()
    tally.reset()
  }

  mutating func push(_ samplesMicrovolts: some Sequence<Double>) throws(EdgeECGError) -> [Judged] {
    var judged: [Judged] = []
    for beat in beats.push(samplesMicrovolts) { judged.append(try judge(beat)) }
    return judged
  }

  private mutating func judge(_ beat: Beat) throws(EdgeECGError) -> Judged {
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
    let vote = Vote(logits: logits, references: references)
    return Judged(beat: beat, vote: vote, unusable: [], decision: tally.add(vote, seconds: beat.knownAtSeconds))
  }

  private mutating func skipped(_ beat: Beat, _ reasons: [UnusableReason]) -> Judged {
    Judged(beat: beat, vote: nil, unusable: reasons, decision: tally.skip())
  }
}
