#if canImport(SwiftUI)
  import EdgeECG
  import SwiftUI

  /// One screen: the day's baseline first, then a recording, its R peaks, the tally as it moves, and a decision.
  @available(iOS 17, macOS 14, watchOS 10, *)
  public struct ECGJudgeView: View {
    private enum Work: Hashable { case baseline, judging }

    private let judge: ECGJudge
    private let takeBaseline: () async -> Void
    private let judgeLatest: () async -> Void
    @State private var work: Work?

    /// - Parameters:
    ///   - judge: what is shown.
    ///   - takeBaseline: calls ``ECGJudge/setBaseline(_:)`` with the app's recordings.
    ///   - judgeLatest: calls ``ECGJudge/judge(pace:_:)`` with the app's latest recording.
    public init(
      _ judge: ECGJudge, takeBaseline: @escaping () async -> Void, judgeLatest: @escaping () async -> Void
    ) {
      (self.judge, self.takeBaseline, self.judgeLatest) = (judge, takeBaseline, judgeLatest)
    }

    /// What is drawn.
    public var body: some View {
      ScrollView {
        VStack(spacing: 8) {
          ECGTraceView(judge.trace)
          ECGDecisionView(judge)
          if let problem = judge.problem { Text(problem).foregroundStyle(.red) }
          if let activity = judge.activity {
            ProgressView()
            Text(activity).font(.footnote)
          }
          Text(baselineText).font(.footnote)
          Button(localized("The latest two ECGs are this morning's baseline")) { work = .baseline }
          Button(localized("Judge the latest ECG")) { work = .judging }
          Text(judge.bundle?.intendedUse ?? localized("No bundle yet: send one from the iPhone.")).font(.footnote)
            .foregroundStyle(.secondary)
        }
        .padding()
      }
      .task(id: work) { await perform() }
    }

    private var baselineText: String {
      guard let baseline = judge.baseline else {
        return localized("No baseline of the day yet: more recordings will be inconclusive.")
      }
      let day = baseline.day?.description ?? localized("an unknown day")
      return localized("Compared with the baseline of %@ (recordings: %@)", day, String(baseline.level.recordings))
    }

    /// What a button asked for; it is cancelled when another one is pressed or the screen goes.
    private func perform() async {
      switch work {
      case .baseline: await takeBaseline()
      case .judging: await judgeLatest()
      case nil: return
      }
      if !Task.isCancelled { work = nil }  // else it is what another button asked for
    }
  }
#endif
