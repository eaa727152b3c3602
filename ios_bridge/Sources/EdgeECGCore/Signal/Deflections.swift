/// Where the raw samples are highest and lowest around a QRS, and which of the two is its R.
struct Deflections {
  /// Stream index of the highest value.
  let top: Int64
  /// Stream index of the lowest value.
  let bottom: Int64
  /// R's side: 1 up, -1 down. R is the first deflection, unless that is so small that it is a q wave.
  let side: Double

  init(of candidate: RPeakDetector.Candidate, in raw: StreamBuffer, _ constants: DetectorConstants) {
    let taps = constants.smoothSamples
    let center = candidate.at - Int64(constants.envelopeDelay)
    let margin = Int64(constants.refineReach + taps / 2)
    let first = max(center - margin, 0, raw.start)
    let count = Int(clamping: min(center + margin + 1, raw.end) - first) - taps + 1
    guard count > constants.baselineSamples else {  // constants of another heart: too few samples for a baseline
      (top, bottom, side) = (max(center, 0), max(center, 0), 1)
      return
    }
    // A short mean against muscle noise, as a sum in a fixed order; the scale does not matter here.
    var window = [Double](repeating: 0, count: count)
    for tap in 0..<taps {
      for index in window.indices { window[index] += raw[first + Int64(tap + index)] }
    }
    // The baseline is the line through the two ends.
    let ends = constants.baselineSamples
    let left = pairwiseSum(window.prefix(ends)) / Double(ends)
    let right = pairwiseSum(window.suffix(ends)) / Double(ends)
    let slope = (right - left) / Double(count - ends)
    for index in window.indices { window[index] = window[index] - left - slope * Double(index) }
    var (high, low) = (0, 0)
    for index in window.indices {
      if window[index] > window[high] { high = index }
      if window[index] < window[low] { low = index }
    }
    let (early, late) = (min(high, low), max(high, low))
    let isQWave = !(abs(window[early]) >= constants.firstDeflection * abs(window[late]))
    top = first + Int64(taps / 2 + high)
    bottom = first + Int64(taps / 2 + low)
    side = (isQWave ? late : early) == high ? 1 : -1
  }
}

/// The sum as NumPy adds it up: in eight lanes, and in halves beyond 128 numbers.
func pairwiseSum(_ values: ArraySlice<Double>) -> Double {
  let (start, count) = (values.startIndex, values.count)
  if count < 8 { return values.reduce(0, +) }
  if count > 128 {
    let half = count / 2 / 8 * 8
    return pairwiseSum(values.prefix(half)) + pairwiseSum(values.dropFirst(half))
  }
  var lanes = (0..<8).map { values[start + $0] }
  let whole = count / 8 * 8
  for block in stride(from: 8, to: whole, by: 8) {
    for lane in 0..<8 { lanes[lane] += values[start + block + lane] }
  }
  let sum = ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]))
  return values.dropFirst(whole).reduce(sum, +)
}
