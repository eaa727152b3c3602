import EdgeECG
import Foundation

/// What a beat and a recording cost on this machine, one thread.
struct Bench {
  private static let beatRounds = 20_000
  private static let recordingRounds = 200
  private static let secondsOfECG = 30.0

  private let bundle: ECGBundle
  private let recording: ECGRecording

  /// Without a recording, a made-up one: R and T, 70 times a minute.
  init(_ bundle: ECGBundle, _ recording: ECGRecording?) throws {
    self.bundle = bundle
    self.recording = try recording ?? Self.madeUp(bundle.contract.sampleRateHz)
  }

  func lines() throws -> [String] {
    let beats = try recording.beats(bundle.contract)
    guard !beats.isEmpty else { throw EdgeECGError.recording("\(recording.source): has no beats to time") }
    let beat = try beatMicroseconds(beats)
    let factors = try (0..<Self.recordingRounds).map { _ in
      try ECGWatch.replay(recording, through: bundle, chunkSamples: recording.samplesMicrovolts.count).realtimeFactor
    }
    let chunked = try (0..<Self.recordingRounds).map { _ in
      try ECGWatch.replay(recording, through: bundle).realtimeFactor
    }
    return [
      String(
        format: "a beat        %.2f us median, %.2f us best of %d (encode, %d references, vote)", median(beat),
        beat.min() ?? 0, beat.count, bundle.references.count),
      String(
        format: "a recording   %.1f s in %.2f ms: %.0f times real time, %d beats (median of %d)",
        recording.durationSeconds, 1e3 * recording.durationSeconds / median(factors), median(factors), beats.count,
        factors.count),
      String(format: "in chunks     of 64 samples: %.0f times real time", median(chunked)),
    ]
  }

  private func beatMicroseconds(_ beats: [ECGBeat]) throws -> [Double] {
    var encoder = bundle.encoder
    var comparator = bundle.comparator
    var tally = Tally(bundle.rule)
    var embedding: [Float] = []
    var logits: [Float] = []
    let clock = ContinuousClock()
    return try (0..<Self.beatRounds).map { round in
      let beat = beats[round % beats.count]
      let took = try clock.measure {
        try encoder.encode(beat.values, into: &embedding)
        try comparator.compare(embedding, with: bundle.references, into: &logits)
        tally.add(ECGVote(logits: logits, references: bundle.references), seconds: beat.knownAtSeconds)
      }
      return Double(took.components.attoseconds) * 1e-12
    }
  }

  private func median(_ numbers: [Double]) -> Double { numbers.sorted()[numbers.count / 2] }

  private static func madeUp(_ rate: Int) throws -> ECGRecording {
    let samples = (0..<Int(secondsOfECG) * rate).map { index in
      let phase = (Double(index) / Double(rate)).truncatingRemainder(dividingBy: 60.0 / 70)
      let r = 900 * exp(-0.5 * pow((phase - 0.3) / 0.01, 2))
      let t = 250 * exp(-0.5 * pow((phase - 0.55) / 0.04, 2))
      let breath = 30 * sin(Double(index) / 300)  // a converter never holds one value
      return (1000 * (r + t + breath)).rounded() / 1000
    }
    return try ECGRecording(samplesMicrovolts: samples, sampleRateHz: Double(rate), source: "a made-up recording")
  }
}
