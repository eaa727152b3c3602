import EdgeECG
import EdgeECGApple
import Foundation

/// The latest ECG of the Health app, judged by the bundle that the app carries and by the morning's baseline.
struct LatestECG: Sendable {
  /// What the screen shows.
  struct State: Sendable {
    var intendedUse = ""
    var trace: [Double] = []
    var rPeaks: [Int] = []
    var decision: Decision?
    var isOutOfDate = false
    var progress = 0.0
  }

  static let bundleName = "PersonalBundle"  // `make ios-demo BUNDLE=...` copies a bundle there
  private static let baselineRecordings = 2
  private static let chunkSeconds = 0.25
  private static let traceSeconds = 5.0

  /// What the beats are compared with, beside what is usual.
  let baseline: DayBaseline?

  /// The morning's baseline: the level of the latest two ECGs, which must be of one day and of the baseline.
  static func morningBaseline() async throws -> DayBaseline {
    let recordings = HealthKitRecordings()
    try await recordings.authorize()
    let latest = try await recordings.latest(baselineRecordings)
    guard latest.count == baselineRecordings else {
      throw EdgeECGError.recording("\(latest.count) ECGs in Health; take \(baselineRecordings) of the baseline first")
    }
    var taken: [Recording] = []
    for electrocardiogram in latest { taken.append(try await recordings.recording(electrocardiogram)) }
    return try DayBaseline(try bundle(), recordings: taken)
  }

  /// What the app's bundle is for, and what it is not.
  static var intendedUse: String { (try? bundle())?.intendedUse ?? "" }

  /// One state for each quarter of a second of ECG, so that the tally is seen to move.
  func steps() -> AsyncThrowingStream<State, any Error> {
    AsyncThrowingStream { continuation in
      let task = Task {
        do {
          let recordings = HealthKitRecordings()
          try await recordings.authorize()
          guard let latest = try await recordings.latest().first else {
            throw EdgeECGError.recording("no ECG in Health, or no leave to read it")
          }
          try await judge(try await recordings.recording(latest)) { continuation.yield($0) }
          continuation.finish()
        } catch {
          continuation.finish(throwing: error)
        }
      }
      continuation.onTermination = { _ in task.cancel() }
    }
  }

  private func judge(_ recording: Recording, show: (State) -> Void) async throws {
    let bundle = try Self.bundle()
    var watch = try Watch(
      bundle, sampleRateHz: recording.sampleRateHz, day: recording.day, dayBaseline: baseline)
    let toSource = try Resampler(rateHz: recording.sampleRateHz, targetHz: bundle.contract.sampleRateHz)
    var state = State(intendedUse: bundle.intendedUse)
    state.isOutOfDate = watch.isOutOfDate
    var rPeaks: [Int] = []
    let samples = recording.samplesMicrovolts
    let chunk = max(1, Int(Self.chunkSeconds * recording.sampleRateHz))
    let shown = Int(Self.traceSeconds * recording.sampleRateHz)
    for start in stride(from: 0, to: samples.count, by: chunk) {
      let end = min(start + chunk, samples.count)
      rPeaks += try watch.push(samples[start..<end]).map { Int(toSource.sourceIndex($0.beat.rIndex)) }
      let first = max(0, end - shown)
      state.trace = Array(samples[first..<end])
      state.rPeaks = rPeaks.filter { $0 >= first }.map { $0 - first }
      state.decision = watch.decision
      state.progress = Double(end) / Double(samples.count)
      show(state)
      try await Task.sleep(nanoseconds: 20_000_000)
    }
  }

  private static func bundle() throws -> ECGBundle {
    guard let path = Foundation.Bundle.main.path(forResource: bundleName, ofType: nil) else {
      throw EdgeECGError.bundle("the app carries no \(bundleName); run `make ios-demo BUNDLE=...`")
    }
    return try ECGBundle(path: path)
  }
}
