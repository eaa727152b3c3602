/// One beat, what the references said of it, and what is known since.
public struct Judged: Hashable, Sendable {
  /// The beat.
  public let beat: Beat
  /// What the references said of it.
  public let vote: Vote
  /// What is known since.
  public let decision: Decision
}

/// The whole story in one place: samples in, beats judged, a decision out.
///
/// Any chunk size gives the same votes and decision, bit for bit. A watch is a value: a copy goes its own way.
public struct Watch: Sendable {
  private let references: ReferenceBank
  private var encoder: any ECGEncoder
  private var comparator: any ECGComparator
  private var beats: BeatStream
  private var tally: Tally
  private var embedding: [Float] = []
  private var logits: [Float] = []

  /// A watch that judges by `bundle`, for recordings of `sampleRateHz`.
  /// - Throws: ``EdgeECGError/recording(_:)`` for a rate that no sensor has.
  public init(_ bundle: ECGBundle, sampleRateHz: Double = 512) throws {
    references = bundle.references
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
  /// - Throws: what the bundle's engines throw; the portable ones throw nothing here.
  public mutating func push(_ samplesMicrovolts: some Sequence<Double>) throws -> [Judged] {
    try beats.push(samplesMicrovolts).map { try judge($0) }
  }

  /// What is known of the recording so far.
  public var decision: Decision { tally.decision }

  /// The beat's embedding, its logits and its vote; nothing is counted.
  mutating func judge(_ beat: Beat) throws -> Judged {
    try encoder.encode(beat.values, into: &embedding)
    try comparator.compare(embedding, with: references, into: &logits)
    let vote = Vote(logits: logits, references: references)
    return Judged(beat: beat, vote: vote, decision: tally.add(vote, seconds: beat.knownAtSeconds))
  }
}
