#if canImport(SwiftUI)
  import EdgeECG
  import Foundation
  import SwiftUI

  /// The trace in microvolts, with a mark at each R peak. A gap in the samples is a gap in the line.
  public struct ECGTraceView: View {
    private let trace: ECGTrace

    /// Shows a trace.
    public init(_ trace: ECGTrace) { self.trace = trace }

    /// What is drawn.
    public var body: some View {
      Canvas { context, size in
        let samples = trace.samples
        let present = samples.filter(\.isFinite)
        guard let low = present.min(), let high = present.max(), high > low, samples.count > 1 else { return }
        let x = { (index: Int) in size.width * CGFloat(index) / CGFloat(samples.count - 1) }
        var line = Path()
        var isDrawn = false
        for (index, sample) in samples.enumerated() {
          guard sample.isFinite else {
            isDrawn = false
            continue
          }
          let point = CGPoint(x: x(index), y: size.height * (0.95 - 0.85 * CGFloat((sample - low) / (high - low))))
          if isDrawn { line.addLine(to: point) } else { line.move(to: point) }
          isDrawn = true
        }
        context.stroke(line, with: .color(.green))
        var marks = Path()
        for index in trace.rPeaks where samples.indices.contains(index) {
          marks.move(to: CGPoint(x: x(index), y: 0))
          marks.addLine(to: CGPoint(x: x(index), y: size.height * 0.06))
        }
        context.stroke(marks, with: .color(.red), lineWidth: 2)
      }
      .frame(height: 90)
      .accessibilityLabel(localized("ECG, heartbeats: %@", String(trace.rPeaks.count)))
    }
  }
#endif
