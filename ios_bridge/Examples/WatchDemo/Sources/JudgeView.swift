import EdgeECG
import SwiftUI

/// One screen: the latest ECG, its R peaks, the tally as it moves, and a decision or "inconclusive".
struct JudgeView: View {
  @State private var state = LatestECG.State()
  @State private var problem = ""
  @State private var isBusy = false

  var body: some View {
    ScrollView {
      VStack(spacing: 8) {
        TraceView(samples: state.trace, rPeaks: state.rPeaks)
        if let decision = state.decision {
          Text(decision.label).font(.headline)
          Text("\(decision.votesForBaseline) : \(decision.votesForTarget) votes, \(decision.unusable) beats unusable")
          ProgressView(value: state.progress, total: 1)
          if state.isOutOfDate { Text("Recorded too long after the training: enrol fresh baselines") }
        }
        if !problem.isEmpty { Text(problem).foregroundStyle(.red) }
        if isBusy {
          ProgressView()
        } else {
          Button("Judge the latest ECG") { isBusy = true }
        }
        Text(state.intendedUse).font(.footnote).foregroundStyle(.secondary)
      }
      .padding()
    }
    .task { await work() }
  }

  /// Waits for the button, judges, and waits again, until the screen goes.
  private func work() async {
    state.intendedUse = LatestECG.intendedUse
    while !Task.isCancelled {
      if isBusy {
        problem = ""
        do {
          for try await step in LatestECG().steps() { state = step }
        } catch {
          problem = "\(error)"
        }
        isBusy = false
      }
      try? await Task.sleep(nanoseconds: 100_000_000)
    }
  }
}
