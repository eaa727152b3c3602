/// Raw microvolts at any rate in, beats out. Any chunk size gives the same beats, bit for bit.
///
/// The stream wakes at the contract's interval (0.25 s) and works through what it heard by then: a beat must wait
/// for its T wave anyway.
package struct BeatStream: Sendable {
  private let blockSamples: Int
  private var resampler: Resampler
  private var detector: RPeakDetector
  private var cutter: BeatCutter
  private var heard: [Double] = []  // since the last wake

  /// - Throws: ``EdgeECGError/recording(_:)`` for a rate that no sensor has.
  package init(sampleRateHz: Double, contract: Contract) throws(EdgeECGError) {
    blockSamples = contract.blockSamples
    resampler = try Resampler(rateHz: sampleRateHz, targetHz: contract.sampleRateHz)
    detector = RPeakDetector(contract.detector)
    cutter = BeatCutter(longestWaitSamples: detector.longestWait, contract: contract)
  }

  /// Starts a new recording.
  package mutating func reset() {
    resampler.reset()
    detector.reset()
    cutter.reset()
    heard = []
  }

  /// Takes the next samples, any number of them; returns the beats completed by the last wake.
  package mutating func push(_ samplesMicrovolts: some Sequence<Double>) -> [ECGBeat] {
    if resampler.passesAll {
      heard.append(contentsOf: samplesMicrovolts)
    } else {
      resampler.push(samplesMicrovolts) { heard.append($0) }
    }
    guard heard.count >= blockSamples else { return [] }
    // Wake by wake, so that a whole recording at once needs no more memory than a second of it.
    var beats: [ECGBeat] = []
    var worked = 0
    while heard.count - worked >= blockSamples {
      let block = heard[worked..<worked + blockSamples]
      beats += cutter.push(block, peaks: detector.push(block))
      worked += blockSamples
    }
    heard.removeFirst(worked)
    return beats
  }
}
