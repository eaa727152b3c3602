/// One heartbeat as the encoder sees it.
public struct ECGBeat: Hashable, Sendable {
  /// Where R is, in samples at the contract's rate since the stream began.
  public let rIndex: Int64
  /// When the whole beat was known, in seconds on the recording's own clock: the first wake that had it.
  public let knownAtSeconds: Double
  /// The raw samples in microvolts around R, which points upwards, then the RR interval in seconds.
  public let values: [Float]
  /// Whether R pointed down, so that the samples were turned over.
  public let isTurned: Bool
  /// What is wrong with the signal, so that it must not vote; its values may then be NaN.
  public let unusable: [ECGBeatReason]

  /// A beat that was cut already.
  public init(rIndex: Int64, knownAtSeconds: Double, values: [Float], isTurned: Bool, unusable: [ECGBeatReason]) {
    (self.rIndex, self.knownAtSeconds, self.values) = (rIndex, knownAtSeconds, values)
    (self.isTurned, self.unusable) = (isTurned, unusable)
  }

  /// Whether the signal is good enough for a vote.
  public var isUsable: Bool { unusable.isEmpty }
}

/// Cuts beats out of the unfiltered signal while it arrives. Any chunk size gives the same beats.
///
/// A beat needs a previous R (for its RR interval), a window that lies wholly after the settling time, and the
/// samples from its R on. Its R points upwards: a beat from the other wrist is turned over, and says so.
package struct BeatCutter: Sendable {
  private struct Waiting: Sendable {
    let peak: RPeak
    let rrSamples: Int
  }

  private let contract: Contract
  private let keepSamples: Int64
  private var quality: Quality
  private var samples: StreamBuffer
  private var previousR: Int64?
  private var waiting: [Waiting] = []

  /// A cutter that can still cut a beat whose peak is found `longestWaitSamples` after it happened.
  package init(longestWaitSamples: Int, contract: Contract) {
    self.contract = contract
    quality = Quality(contract)
    keepSamples = Int64(longestWaitSamples) + Int64(contract.quality.rrMax + contract.beforeRSamples)
    samples = StreamBuffer(keeping: Int(clamping: keepSamples))
  }

  /// Forgets the stream.
  package mutating func reset() {
    quality.reset()
    samples = StreamBuffer(keeping: Int(clamping: keepSamples))
    previousR = nil
    waiting = []
  }

  /// Takes the next samples and the peaks that the detector found by then; returns the beats completed.
  package mutating func push(_ samplesMicrovolts: some Sequence<Double>, peaks: [RPeak]) -> [ECGBeat] {
    samples.append(contentsOf: samplesMicrovolts)
    for peak in peaks {
      if let previousR { waiting.append(Waiting(peak: peak, rrSamples: Int(clamping: peak.index - previousR))) }
      previousR = peak.index
    }
    var beats: [ECGBeat] = []
    while let next = waiting.first, next.peak.index + Int64(contract.afterRSamples) <= samples.end {
      waiting.removeFirst()
      let start = next.peak.index - Int64(contract.beforeRSamples)
      guard start >= samples.start else { continue }  // the stream's very beginning
      let beat = cut(next, from: start)
      if start >= Int64(contract.settleSamples) { beats.append(beat) }
    }
    let oldest = waiting.first.map { $0.peak.index - keepSamples } ?? samples.end
    samples.forget(before: min(samples.end - keepSamples, oldest))
    return beats
  }

  private mutating func cut(_ next: Waiting, from start: Int64) -> ECGBeat {
    let rr = min(max(next.rrSamples, 0), contract.quality.rrMax)
    let stretch = samples[max(start - Int64(rr), samples.start)..<start + Int64(contract.windowSamples)]
    let whole = interpolated(stretch)
    let window = whole.suffix(contract.windowSamples)
    let isTurned = pointsDown(window)
    let sign = isTurned ? -1.0 : 1.0
    var values: [Float] = []
    values.reserveCapacity(contract.beatLength)
    for sample in window { values.append(Float(sign * sample)) }
    values.append(Float(Double(next.rrSamples) / Double(contract.sampleRateHz)))
    let known = max(next.peak.index + Int64(contract.afterRSamples), next.peak.confirmedAt)
    let block = Int64(contract.blockSamples)
    let knownAtSeconds = Double((known + block - 1) / block * block) / Double(contract.sampleRateHz)
    return ECGBeat(
      rIndex: next.peak.index, knownAtSeconds: knownAtSeconds, values: values, isTurned: isTurned,
      unusable: quality.reasons(stretch, interpolated: whole, rrSamples: next.rrSamples))
  }

  /// Whether R lies below the baseline at the window's two ends.
  private func pointsDown(_ window: ArraySlice<Double>) -> Bool {
    let (ends, side) = (contract.quality.baseline, contract.quality.rSide)
    let r = window.startIndex + contract.beforeRSamples
    let top = pairwiseSum(window[r - side...r + side]) / Double(2 * side + 1)
    let baseline = (pairwiseSum(window.prefix(ends)) + pairwiseSum(window.suffix(ends))) / Double(2 * ends)
    return top < baseline
  }
}

#if !hasFeature(Embedded)
  extension ECGBeat: Codable {}
#endif
