import Foundation

/// The names of the two states, as the user gave them.
public struct Labels: Hashable, Sendable {
  /// The state that stands for "no change".
  public let baseline: String
  /// The other state.
  public let target: String

  /// The two names.
  public init(baseline: String, target: String) {
    self.baseline = baseline
    self.target = target
  }
}

/// What the references say of one beat.
///
/// Two voting rules of the field stand side by side: hard votes (how many references of each state call the beat
/// "same") and soft evidence (mean logit of "different" against the baseline minus that against the target).
/// The sequential decision uses the soft one; hard votes are counted beside it.
public struct Vote: Hashable, Sendable {
  /// References of the baseline that call it "same".
  public let sameAsBaseline: Int
  /// References of the target that call it "same".
  public let sameAsTarget: Int
  /// The hard vote: a larger share of the target's references call it "same".
  public let hardTarget: Bool
  /// Soft: above 0 speaks for the target.
  public let evidence: Double

  /// The soft vote of this beat alone; a tie, here as there, is a vote for the baseline.
  public var softTarget: Bool { evidence > 0 }

  /// The vote of one beat from its logits of "different", one for each reference of the bank.
  public init(logits: [Float], references: ReferenceBank) {
    var sameAsTarget = 0
    var sameAsBaseline = 0
    var againstTarget = 0.0
    var againstBaseline = 0.0
    for (logit, isTarget) in zip(logits, references.isTarget) {
      if isTarget {
        sameAsTarget += logit < 0 ? 1 : 0
        againstTarget += Double(logit)
      } else {
        sameAsBaseline += logit < 0 ? 1 : 0
        againstBaseline += Double(logit)
      }
    }
    self.sameAsTarget = sameAsTarget
    self.sameAsBaseline = sameAsBaseline
    // Shares, since the two states may differ in references; compared without a division.
    hardTarget = sameAsTarget * references.baselineCount > sameAsBaseline * references.targetCount
    evidence = againstBaseline / Double(references.baselineCount) - againstTarget / Double(references.targetCount)
  }
}

/// What is known so far of a recording.
public struct Decision: Hashable, Sendable {
  /// The label while the evidence is not enough.
  public static let inconclusive = "inconclusive"

  /// One of the two labels, or "inconclusive".
  public let label: String
  /// 0.5 to 1: how sure of the label; of the likelier one while inconclusive, 0.5 with too few beats.
  public let confidence: Double
  /// Beats judged.
  public let beats: Int
  /// Beats judged when it was decided.
  public let beatsToDecision: Int?
  /// When it was decided, on the recording's own clock.
  public let secondsToDecision: Double?
  /// Hard votes for the baseline.
  public let votesForBaseline: Int
  /// Hard votes for the target.
  public let votesForTarget: Int
  /// Beats that were found and not judged.
  public let unusable: Int

  /// Whether one of the two states was decided for.
  public var isConclusive: Bool { beatsToDecision != nil }
}

/// Adds up beats until the evidence crosses a boundary; a decision once made stays.
///
/// Sequential test: A. Wald, "Sequential Tests of Statistical Hypotheses", Ann. Math. Statist. 16(2), 1945.
/// Departures:
/// - Wald's beats are independent; those of one recording share an electrode, a posture and a day. n beats that
///   correlate by r say as much as n / (1 + (n - 1) r) independent ones (the design effect of L. Kish, Survey
///   Sampling, 1965). So a recording can say only so much, and one of doubtful level stays inconclusive.
/// - A beat's log odds are clipped and a few beats are the least, so that none decides alone, nor an ectopic one with
///   the beat after its pause.
/// - What is unusable says nothing, and nothing is decided while most beats are.
public struct Tally: Sendable {
  private struct Decided: Sendable {
    let label: String
    let confidence: Double
    let beats: Int
    let seconds: Double
  }

  /// At or above: the target.
  public let upper: Double
  /// At or below: the baseline.
  public let lower: Double
  /// The evidence so far.
  public private(set) var logOdds = 0.0

  private let labels: Labels
  private let constants: VotingConstants
  private let mostConfident: Double
  private var said = 0.0
  private var votesForBaseline = 0
  private var votesForTarget = 0
  private var unusable = 0
  private var decided: Decided?

  /// An empty tally.
  public init(labels: Labels, constants: VotingConstants) {
    self.labels = labels
    self.constants = constants
    upper = log((1 - constants.beta) / constants.alpha)
    lower = log(constants.beta / (1 - constants.alpha))
    // A rate that n recordings with k errors can support (Laplace's rule of succession).
    let (n, k) = (Double(constants.calibrationRecordings), Double(constants.calibrationErrors))
    mostConfident = max(0.5, (n - k + 1) / (n + 2))
  }

  /// Forgets the recording.
  public mutating func reset() {
    self = Tally(labels: labels, constants: constants)
  }

  /// Counts one beat's vote, known at `seconds` of the recording, and returns what is known by then.
  @discardableResult
  public mutating func add(_ vote: Vote, seconds: Double) -> Decision {
    if vote.hardTarget { votesForTarget += 1 } else { votesForBaseline += 1 }
    let beats = votesForBaseline + votesForTarget
    said += min(constants.clip, max(-constants.clip, constants.slope * vote.evidence + constants.offset))
    logOdds = said / (1 + Double(beats - 1) * constants.correlation)
    if decided == nil, isEnough, !(lower < logOdds && logOdds < upper) {
      decided = Decided(
        label: logOdds > 0 ? labels.target : labels.baseline, confidence: confidence, beats: beats, seconds: seconds)
    }
    return decision
  }

  /// Counts one beat that must not vote, and returns what is known by then.
  @discardableResult
  public mutating func skip() -> Decision {
    unusable += 1
    return decision
  }

  /// What is known now.
  public var decision: Decision {
    Decision(
      label: decided?.label ?? Decision.inconclusive, confidence: decided?.confidence ?? confidence,
      beats: votesForBaseline + votesForTarget, beatsToDecision: decided?.beats, secondsToDecision: decided?.seconds,
      votesForBaseline: votesForBaseline, votesForTarget: votesForTarget, unusable: unusable)
  }

  /// Whether there are beats enough to say anything, and most of those found were usable.
  private var isEnough: Bool {
    votesForBaseline + votesForTarget >= max(constants.fewestBeats, unusable)
  }

  private var confidence: Double {
    guard isEnough else { return 0.5 }
    return min(mostConfident, 1 / (1 + exp(-abs(logOdds))))
  }
}
