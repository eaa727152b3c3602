/// Why a beat must not vote: of the signal, or of what the watch knows. The raw values are the words that Python uses.
public enum ECGBeatReason: String, Hashable, Sendable, CaseIterable {
  /// A gap longer than what is interpolated.
  case missing = "missing samples"
  /// One value for longer than any converter holds it on skin.
  case flat = "flat line"
  /// A span or an offset that no electrode on skin gives.
  case leadOff = "lead off"
  /// Noise that hides the T wave.
  case noise
  /// The signal ran into a rail.
  case clipped
  /// The baseline moved too far during the beat.
  case wander = "baseline wander"
  /// An RR interval that no person at rest has.
  case rhythm = "RR out of range"
  /// An embedding or a logit that is not finite: the engine failed on this beat.
  case notANumber = "not a number"
  /// An embedding far from all that training has seen.
  case outOfDistribution = "out of distribution"
  /// A recording long before or after all known days.
  case outOfDate = "out of date"
}

/// Says of each R peak in turn why its beat is unusable.
///
/// A beat is as good as all that it hangs on: its own window, and the RR interval, which began at the R before. So
/// samples must not be missing or flat anywhere from the start of the previous window on (no RR interval spans a
/// gap), and what makes the place of an R uncertain spoils the RR interval of the next beat too. A beat's wide window
/// of its own must not be clipped or tilted.
package struct Quality: Sendable {
  private static let noiseGain = 1.5  // the variance of white noise minus the mean of two other samples of it

  private let constants: QualityConstants
  private let windowSamples: Int
  private let r: Int
  private var uncertain: [ECGBeatReason] = []  // what was wrong around the previous R

  /// Judges by the constants of a contract.
  package init(_ contract: Contract) {
    constants = contract.quality
    windowSamples = contract.windowSamples
    r = contract.beforeRSamples
  }

  /// Forgets the stream.
  package mutating func reset() {
    uncertain = []
  }

  /// Why the beat at the end of a stretch must not vote; nothing if it may.
  ///
  /// - Parameters:
  ///   - stretch: microvolts from the start of the previous R's window to the end of this one, NaN where they are
  ///     missing; at least one whole window.
  ///   - interpolated: the same with its gaps interpolated.
  ///   - rrSamples: the RR interval in samples.
  mutating func reasons(_ stretch: ArraySlice<Double>, interpolated: [Double], rrSamples: Int) -> [ECGBeatReason] {
    var reasons: [ECGBeatReason] = []
    if longestRun(stretch, where: { !$0.isFinite }) > constants.interpolated { reasons.append(.missing) }
    let steps = zip(interpolated, interpolated.dropFirst()).lazy.map { abs($1 - $0) }
    if longestRun(steps, where: { $0 <= constants.heldMicrovolts }) >= constants.held { reasons.append(.flat) }
    let window = Array(interpolated.suffix(windowSamples))
    let extent = extent(of: window)
    let around = uncertainty(of: window, extent)
    for reason in around + uncertain where !reasons.contains(reason) { reasons.append(reason) }
    uncertain = around
    if !(constants.rrMin...constants.rrMax).contains(rrSamples) { reasons.append(.rhythm) }
    return reasons + bends(of: window, extent)
  }

  /// What makes the place of R uncertain.
  private func uncertainty(of window: [Double], _ extent: Extent) -> [ECGBeatReason] {
    var reasons: [ECGBeatReason] = []
    let span = constants.leastSpanMicrovolts...constants.mostSpanMicrovolts
    if !span.contains(extent.span) || abs(extent.left) > constants.mostOffsetMicrovolts {
      reasons.append(.leadOff)
    }
    let lag = constants.noiseLag
    let after = window[(r + constants.qrs)...]
    let squares = after.indices.dropFirst(lag).dropLast(lag).map { index in
      let rough = window[index] - 0.5 * (window[index - lag] + window[index + lag])
      return rough * rough
    }
    let least = constants.noisePart * extent.height
    if pairwiseSum(squares[...]) > Self.noiseGain * Double(squares.count) * (least * least) { reasons.append(.noise) }
    return reasons
  }

  /// What only bends the beat.
  private func bends(of window: [Double], _ extent: Extent) -> [ECGBeatReason] {
    var reasons: [ECGBeatReason] = []
    let (bottom, top, span) = (extent.bottom, extent.top, extent.span)
    let (baseline, near) = ((extent.left + extent.right) / 2, constants.clippedPart * span)
    let least = constants.railPart * span
    let railAbove = top - baseline > least ? longestRun(qrs(of: window)) { $0 >= top - near } : 0
    let railBelow = baseline - bottom > least ? longestRun(qrs(of: window)) { $0 <= bottom + near } : 0
    if max(railAbove, railBelow) >= constants.clipped { reasons.append(.clipped) }
    if abs(extent.right - extent.left) > constants.wanderPart * extent.height { reasons.append(.wander) }
    return reasons
  }

  private func qrs(of window: [Double]) -> ArraySlice<Double> {
    window[r - constants.qrs..<r + constants.qrs]
  }

  /// How far a window reaches, in microvolts.
  private struct Extent {
    let span: Double  // of the whole window
    let bottom: Double  // of the QRS
    let top: Double
    let left: Double  // the baseline before the beat
    let right: Double  // and after it

    var height: Double { top - bottom }
  }

  private func extent(of window: [Double]) -> Extent {
    let (whole, qrs, count) = (range(window[...]), range(qrs(of: window)), constants.baseline)
    return Extent(
      span: whole.high - whole.low, bottom: qrs.low, top: qrs.high,
      left: pairwiseSum(window.prefix(count)) / Double(count), right: pairwiseSum(window.suffix(count)) / Double(count))
  }

  /// Lowest and highest; NaN if the samples are.
  private func range(_ samples: ArraySlice<Double>) -> (low: Double, high: Double) {
    var (low, high) = (samples.first ?? .nan, samples.first ?? .nan)
    for sample in samples {
      if sample < low { low = sample }
      if sample > high { high = sample }
    }
    return (low, high)
  }
}

/// The samples with a straight line across every gap; at the ends the nearest sample is held.
func interpolated(_ samples: ArraySlice<Double>) -> [Double] {
  var interpolated = Array(samples)
  var before: Int?
  for index in interpolated.indices where interpolated[index].isFinite {
    if let before, before + 1 < index {
      let slope = (interpolated[index] - interpolated[before]) / Double(index - before)
      for gap in before + 1..<index { interpolated[gap] = slope * Double(gap - before) + interpolated[before] }
    } else if before == nil {
      for gap in 0..<index { interpolated[gap] = interpolated[index] }
    }
    before = index
  }
  if let before {
    for gap in before + 1..<interpolated.count { interpolated[gap] = interpolated[before] }
  }
  return interpolated
}

/// Length of the longest run of numbers for which `isPart` holds.
private func longestRun(_ numbers: some Sequence<Double>, where isPart: (Double) -> Bool) -> Int {
  var (longest, run) = (0, 0)
  for number in numbers {
    run = isPart(number) ? run + 1 : 0
    longest = max(longest, run)
  }
  return longest
}

#if !hasFeature(Embedded)
  extension ECGBeatReason: Codable {}
#endif
