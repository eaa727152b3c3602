/// The names of the two states, as the user gave them.
public struct ECGLabels: Hashable, Sendable {
  /// The state that stands for "no change".
  public let baseline: String
  /// The other state.
  public let target: String

  /// The two names.
  public init(baseline: String, target: String) {
    self.baseline = baseline
    self.target = target
  }

  /// What an outcome is called.
  public subscript(outcome: ECGOutcome) -> String {
    switch outcome {
    case .baseline: baseline
    case .target: target
    case .inconclusive: ECGDecision.inconclusive
    }
  }
}

/// What the references say of one beat.
///
/// Two voting rules of the field stand side by side: hard votes (how many references of each state call the beat
/// "same") and soft evidence (mean logit of "different" against the baseline minus that against the target).
/// The decision uses the soft one; hard votes are counted beside it.
public struct ECGVote: Hashable, Sendable {
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

  /// A vote that is known already.
  public init(sameAsBaseline: Int, sameAsTarget: Int, hardTarget: Bool, evidence: Double) {
    (self.sameAsBaseline, self.sameAsTarget) = (sameAsBaseline, sameAsTarget)
    (self.hardTarget, self.evidence) = (hardTarget, evidence)
  }

  /// The vote of one beat from its logits of "different", one for each reference of the bank.
  package init(logits: [Float], references: ECGReferences) {
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

#if !hasFeature(Embedded)
  extension ECGVote: Codable {}
  extension ECGLabels: Codable {}
#endif
