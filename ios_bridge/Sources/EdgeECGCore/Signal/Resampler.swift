/// Any sampling rate to the contract's, as a stage of the stream: the rest of the house knows one rate.
///
/// Samples at `rateHz` in, samples at `targetHz` out. Any chunk size gives the same output, bit for bit. Output
/// k lies at input position k * rateHz / targetHz, counted from the first sample and computed from the integer
/// k, so that nothing drifts in a day. At exactly the target rate the samples pass unchanged.
///
/// Between samples it is the cubic through the four nearest (Lagrange's formula; Laakso et al., Splitting the
/// unit delay, IEEE Signal Processing Magazine 13(1), 1996). At the first and the last sample there are no
/// neighbors outside, so the cubic of the outermost four is used, and not an invented sample. There is no
/// filter against aliasing: rates above the target must bring no content above half of it.
package struct Resampler: Sendable {
  private static let taps = 4
  private static let rateRangeHz = 1e-3...1e6  // positions and counts stay far inside what 64 bits hold

  private let rateHz: Double
  private let targetHz: Double
  private var kept = StreamBuffer()  // the source samples that later outputs still need
  private var made: Int64 = 0  // outputs so far

  /// - Throws: ``EdgeECGError/recording(_:)`` for a rate that is not a positive number that a sensor may have.
  package init(rateHz: Double, targetHz: Int) throws(EdgeECGError) {
    guard Self.rateRangeHz.contains(rateHz) else {
      throw EdgeECGError.recording("sampling rate must be a positive number of hertz")
    }
    self.rateHz = rateHz
    self.targetHz = Double(targetHz)
  }

  /// Whether samples come out as they go in.
  var passesAll: Bool { rateHz == targetHz }

  /// Forgets the stream.
  package mutating func reset() {
    kept = StreamBuffer()
    made = 0
  }

  /// Gives `take` the samples that have become certain: each waits for the two source samples after it.
  mutating func push(_ samples: some Sequence<Double>, _ take: (Double) -> Void) {
    guard !passesAll else { return samples.forEach(take) }
    kept.append(contentsOf: samples)
    makeOutputs(before: Double(kept.end - 2), take)
    let needed = min(Int64(clamped: position(made)) - 1, kept.end - Int64(Self.taps))
    kept.forget(before: needed)
  }

  /// The samples that have become certain.
  package mutating func push(_ samples: some Sequence<Double>) -> [Double] {
    var resampled: [Double] = []
    push(samples) { resampled.append($0) }
    return resampled
  }

  /// The outputs up to the last source sample. A recording of fewer than four samples has none.
  package mutating func finish() -> [Double] {
    var resampled: [Double] = []
    makeOutputs(before: Double(kept.end - 1).nextUp) { resampled.append($0) }
    return resampled
  }

  /// The source sample nearest to output `index`.
  package func sourceIndex(_ index: Int64) -> Int64 {
    Int64(clamped: position(index).rounded(.toNearestOrEven))
  }

  private func position(_ index: Int64) -> Double {
    Double(index) * rateHz / targetHz
  }

  private mutating func makeOutputs(before end: Double, _ take: (Double) -> Void) {
    guard kept.count >= Self.taps else { return }
    while position(made) < end {
      // Counted from the oldest sample kept, as in Python, so that the same bits come out.
      let place = position(made) - Double(kept.start)
      let base = min(max(Int(clamped: place.rounded(.down)), 1), kept.count - 3)
      let t = place - Double(base)  // 0 to 1, and beyond only at the two ends of a recording
      let first = kept.start + Int64(base - 1)
      take(
        kept[first] * (-t * (t - 1) * (t - 2) / 6)
          + kept[first + 1] * ((t + 1) * (t - 1) * (t - 2) / 2)
          + kept[first + 2] * (-(t + 1) * t * (t - 2) / 2)
          + kept[first + 3] * ((t + 1) * t * (t - 1) / 6))
      made += 1
    }
  }
}
