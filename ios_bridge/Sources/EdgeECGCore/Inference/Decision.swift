/// What the evidence says: one of the two states, or that it is not enough.
public enum ECGOutcome: String, Hashable, Sendable, CaseIterable {
  case baseline, target, inconclusive
}

/// What is known so far of a recording, and final if the recording ends here.
public struct ECGDecision: Hashable, Sendable {
  /// The label while the evidence is not enough, or no longer.
  public static let inconclusive = "inconclusive"

  /// The first label that the evidence was enough for.
  public struct Provisional: Hashable, Sendable {
    /// One of the two states.
    public let outcome: ECGOutcome
    /// Its label.
    public let label: String
    /// Beats that had voted by then.
    public let beats: Int
    /// When that was, on the recording's own clock.
    public let seconds: Double

    /// A label, and when it was first said.
    public init(outcome: ECGOutcome, label: String, beats: Int, seconds: Double) {
      (self.outcome, self.label, self.beats, self.seconds) = (outcome, label, beats, seconds)
    }
  }

  /// One of the two states, or neither.
  public let outcome: ECGOutcome
  /// Its label, or "inconclusive".
  public let label: String
  /// 0.5 to 1: how sure of the label, or of the likelier one while inconclusive; no surer than so many dates support.
  public let confidence: Double
  /// Beats that voted.
  public let beats: Int
  /// What was said first; nothing if the evidence was never enough. It does not change when later beats contradict.
  public let provisional: Provisional?
  /// Hard votes for the baseline.
  public let votesForBaseline: Int
  /// Hard votes for the target.
  public let votesForTarget: Int
  /// Beats that were found and did not vote.
  public let unusable: Int
  /// Why the recording as a whole is not decided; nothing if it may be.
  public let reasons: [ECGRecordingReason]
  /// By the beats that voted, their RR intervals included.
  public let coveredSeconds: Double

  /// What is known.
  public init(
    outcome: ECGOutcome, label: String, confidence: Double, provisional: Provisional?, votesForBaseline: Int,
    votesForTarget: Int,
    unusable: Int, reasons: [ECGRecordingReason] = [], coveredSeconds: Double = 0
  ) {
    (self.outcome, self.label, self.confidence, self.provisional) = (outcome, label, confidence, provisional)
    (self.votesForBaseline, self.votesForTarget) = (votesForBaseline, votesForTarget)
    (self.beats, self.unusable) = (votesForBaseline + votesForTarget, unusable)
    (self.reasons, self.coveredSeconds) = (reasons, coveredSeconds)
  }

  /// The same; inconclusive if there are reasons.
  func unless(_ reasons: [ECGRecordingReason], coveredSeconds: Double) -> ECGDecision {
    ECGDecision(
      outcome: reasons.isEmpty ? outcome : .inconclusive, label: reasons.isEmpty ? label : Self.inconclusive,
      confidence: confidence, provisional: provisional, votesForBaseline: votesForBaseline,
      votesForTarget: votesForTarget, unusable: unusable, reasons: reasons, coveredSeconds: coveredSeconds)
  }

  /// Whether it is one of the two states.
  public var isConclusive: Bool { outcome != .inconclusive }
}

/// What turns the votes of one model into decisions. Without levels nothing is ever decided.
package struct DecisionRule: Hashable, Sendable {
  /// The two states.
  package let labels: ECGLabels
  /// What recordings of either state usually say; nothing if training had too few dates to tell.
  package let levels: Levels?
  /// The accepted rates of error, and the fewest beats.
  package let constants: VotingConstants

  /// Log odds at or above which it is the target.
  package var upper: Double { Maths.log((1 - constants.beta) / constants.alpha) }

  /// Log odds at or below which it is the baseline.
  package var lower: Double { Maths.log(constants.beta / (1 - constants.alpha)) }

  /// Which rule speaks, for a person.
  package func description(_ day: ECGDayLevel? = nil) -> String {
    guard levels != nil else { return "no levels: too few dates" }
    guard let day else { return "no baseline of the day" }
    return "day's baseline, \(day.recordings) recording\(day.recordings > 1 ? "s" : "")"
  }
}

/// Adds up the beats of one recording; the decision so far must hold until the last of them.
///
/// The boundaries are those of A. Wald, "Sequential Tests of Statistical Hypotheses", Ann. Math. Statist. 16(2), 1945.
/// Departures:
/// - Wald adds up independent observations. The beats of a recording share their electrode, their posture and their
///   day, so their mean is judged as one observation, by how recordings and dates differ (`Levels`).
/// - Crossing a boundary does not end the test. The first crossing is provisional; what is decided when the recording
///   ends must still be beyond the same boundary. Otherwise the recording is inconclusive.
/// - A few beats are the least, so that an ectopic one and the beat after its pause do not decide. What is unusable
///   says nothing, and nothing is decided while most beats are.
package struct Tally: Sendable {
  /// What the beats so far say: log odds of the target.
  package private(set) var logOdds = 0.0

  private let rule: DecisionRule
  private let day: ECGDayLevel?
  private let upper: Double
  private let lower: Double
  private var evidence = 0.0
  private var votesForBaseline = 0
  private var votesForTarget = 0
  private var unusable = 0
  private var provisional: ECGDecision.Provisional?

  /// An empty tally, which knows the level of the day's baseline or not.
  package init(_ rule: DecisionRule, day: ECGDayLevel? = nil) {
    self.rule = rule
    self.day = day
    (upper, lower) = (rule.upper, rule.lower)
  }

  /// Forgets the recording.
  package mutating func reset() {
    self = Tally(rule, day: day)
  }

  /// Counts one beat's vote, known at `seconds` of the recording, and returns what is known by then.
  ///
  /// A vote whose evidence is no number is an unusable beat.
  @discardableResult
  package mutating func add(_ vote: ECGVote, seconds: Double) -> ECGDecision {
    guard vote.evidence.isFinite else { return skip() }
    if vote.hardTarget { votesForTarget += 1 } else { votesForBaseline += 1 }
    evidence += vote.evidence
    if let levels = rule.levels { logOdds = levels.logOdds(level: level, beats: beats, day: day) }
    if provisional == nil, let said {
      provisional = ECGDecision.Provisional(
        outcome: said, label: rule.labels[said], beats: beats, seconds: seconds)
    }
    return decision
  }

  /// Counts one beat that must not vote, and returns what is known by then.
  @discardableResult
  package mutating func skip() -> ECGDecision {
    unusable += 1
    return decision
  }

  /// What is known now.
  package var decision: ECGDecision {
    let outcome = said.flatMap { $0 == provisional?.outcome ? $0 : nil } ?? .inconclusive
    return ECGDecision(
      outcome: outcome, label: rule.labels[outcome], confidence: confidence,
      provisional: provisional, votesForBaseline: votesForBaseline, votesForTarget: votesForTarget,
      unusable: unusable)
  }

  /// The mean evidence of the beats so far; 0 if there is none.
  package var level: Double { evidence / Double(max(1, beats)) }

  /// Whether there are beats enough to say anything, and most of those found voted.
  package var isEnough: Bool { beats >= max(rule.constants.fewestBeats, unusable) }

  private var beats: Int { votesForBaseline + votesForTarget }

  /// What the beats so far say, whatever was said before.
  private var said: ECGOutcome? {
    guard isEnough, !(lower < logOdds && logOdds < upper) else { return nil }
    return logOdds > 0 ? .target : .baseline
  }

  private var confidence: Double {
    guard let levels = rule.levels, isEnough else { return 0.5 }
    return min(levels.mostConfident(isTarget: logOdds > 0), 1 / (1 + Maths.exp(-abs(logOdds))))
  }
}

#if !hasFeature(Embedded)
  extension ECGOutcome: Codable {}
  extension ECGDecision: Codable {}
  extension ECGDecision.Provisional: Codable {}
#endif
