import Foundation
import SwiftUI

/// The trace in microvolts, with a mark at each R peak.
struct TraceView: View {
  let samples: [Double]
  let rPeaks: [Int]  // indices into samples

  var body: some View {
    Canvas { context, size in
      guard let low = samples.min(), let high = samples.max(), high > low, samples.count > 1 else { return }
      let x = { (index: Int) in size.width * CGFloat(index) / CGFloat(samples.count - 1) }
      var trace = Path()
      for (index, sample) in samples.enumerated() {
        let point = CGPoint(x: x(index), y: size.height * (0.95 - 0.85 * CGFloat((sample - low) / (high - low))))
        if index == 0 { trace.move(to: point) } else { trace.addLine(to: point) }
      }
      context.stroke(trace, with: .color(.green))
      var marks = Path()
      for index in rPeaks where samples.indices.contains(index) {
        marks.move(to: CGPoint(x: x(index), y: 0))
        marks.addLine(to: CGPoint(x: x(index), y: size.height * 0.06))
      }
      context.stroke(marks, with: .color(.red), lineWidth: 2)
    }
    .frame(height: 90)
    .accessibilityLabel("ECG with \(rPeaks.count) heartbeats")
  }
}
