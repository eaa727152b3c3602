/// Whether a stream can be in microvolts: by what its first seconds span. Any chunk size gives the same answer.
struct MicrovoltCheck: Sendable {
  private static let seconds = 10.0
  private static let leastSpanMicrovolts = 6.0  // an ECG spans hundreds; the same numbers in millivolts span less than this

  private let wanted: Int
  private var heard = 0
  private var low = Double.infinity
  private var high = -Double.infinity

  init(sampleRateHz: Double) {
    wanted = Int((Self.seconds * sampleRateHz).rounded(.toNearestOrEven))
  }

  /// Whether nothing is left to ask.
  var isDone: Bool { heard >= wanted }

  /// Takes the next samples.
  /// - Throws: ``EdgeECGError/recording(_:)`` once the first seconds span too little for an ECG.
  mutating func push(_ samplesMicrovolts: [Double]) throws(EdgeECGError) {
    guard !isDone else { return }
    let first = samplesMicrovolts.prefix(wanted - heard)
    heard += first.count
    for sample in first where sample.isFinite {
      low = min(low, sample)
      high = max(high, sample)
    }
    let span = high - low
    guard isDone, 0 < span, span < Self.leastSpanMicrovolts else { return }  // a flat line is a matter of quality
    throw EdgeECGError.recording(
      "the first \(Int(Self.seconds)) s span only \(span) µV; an ECG spans hundreds, so the samples are surely in "
        + "millivolts; push 1000 times as much")
  }
}
