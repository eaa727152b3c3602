import EdgeECG
import SwiftUI

/// One screen: the morning's baseline first, then the latest ECG, its R peaks, the tally as it moves, and a decision or
/// "inconclusive".
struct JudgeView: View {
  private enum Work: Hashable { case baseline, judging }

  @State private var state = LatestECG.State()
  @State private var baseline: DayBaseline?
  @State private var problem = ""
  @State private var work: Work?

  var body: some View {
    ScrollView {
      VStack(spacing: 8) {
        TraceView(samples: state.trace, rPeaks: state.rPeaks)
        if let decision = state.decision {
          Text(state.progress < 1 ? "\(decision.label) so far" : decision.label).font(.headline)
          Text("\(decision.votesForBaseline) : \(decision.votesForTarget) votes, \(decision.unusable) beats unusable")
          ProgressView(value: state.progress, total: 1)
          if state.isOutOfDate { Text("Recorded too long after the training: enrol fresh baselines of three dates") }
        }
        if !problem.isEmpty { Text(problem).foregroundStyle(.red) }
        if work != nil { ProgressView() }
        Text(baselineText).font(.footnote)
        Button("The latest two ECGs are this morning's baseline") { work = .baseline }
        Button("Judge the latest ECG") { work = .judging }
        Text(state.intendedUse).font(.footnote).foregroundStyle(.secondary)
      }
      .padding()
    }
    .task(id: work) { await perform() }
  }

  private var baselineText: String {
    guard let baseline else { return "No baseline of the day yet: more recordings will be inconclusive." }
    return "Compared with \(baseline.level.recordings) baselines of \(baseline.day?.description ?? "an unknown day")"
  }

  /// What a button asked for; it is cancelled when another one is pressed or the screen goes.
  private func perform() async {
    state.intendedUse = LatestECG.intendedUse
    guard let asked = work else { return }
    problem = ""
    do {
      switch asked {
      case .baseline: baseline = try await LatestECG.morningBaseline()
      case .judging: for try await step in LatestECG(baseline: baseline).steps() { state = step }
      }
    } catch {
      problem = "\(error)"
    }
    work = nil
  }
}
