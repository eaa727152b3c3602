#if canImport(SwiftUI)
  import EdgeECG
  import SwiftUI

  /// The tally as it moves, and the decision or "inconclusive", with what there is to doubt.
  @available(iOS 17, macOS 14, watchOS 10, *)
  public struct ECGDecisionView: View {
    private let judge: ECGJudge

    /// Shows what a judge says.
    public init(_ judge: ECGJudge) { self.judge = judge }

    /// What is drawn.
    public var body: some View {
      if let decision = judge.decision {
        VStack(spacing: 4) {
          Text(judge.progress < 1 ? localized("%@ so far", decision.localizedLabel) : decision.localizedLabel)
            .font(.headline)
          Text(
            localized(
              "%@ : %@ votes, beats unusable: %@", String(decision.votesForBaseline), String(decision.votesForTarget),
              String(decision.unusable)))
          ProgressView(value: judge.progress, total: 1)
          if judge.progress == 1, !decision.reasons.isEmpty {
            Text(decision.reasons.map(\.localizedDescription).joined(separator: ", ")).font(.footnote)
          }
          if let doubt = judge.doubt { Text(doubt).foregroundStyle(.red) }
        }
      }
    }
  }
#endif
