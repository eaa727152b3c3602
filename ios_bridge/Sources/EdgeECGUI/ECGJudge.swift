import EdgeECG
import Foundation
import Observation

/// What a screen shows of one person's bundle at work: the day's baseline first, then recordings judged against it.
///
/// Everything slow runs off the main actor; views observe it and ask for nothing. What is asked for while something else
/// runs waits for it: a bundle that arrives during a recording is opened after its decision.
@available(iOS 17, macOS 14, watchOS 10, *)
@MainActor @Observable
public final class ECGJudge {
  /// The bundle that judges, once it is open.
  public private(set) var bundle: ECGBundle?
  /// What the beats are compared with, beside what is usual.
  public private(set) var baseline: ECGDayBaseline?
  /// The part of the recording that is judged now.
  public private(set) var trace = ECGTrace()
  /// What is known of the recording so far; final when ``progress`` is 1.
  public private(set) var decision: ECGDecision?
  /// How much of the recording was judged, 0 to 1.
  public private(set) var progress = 0.0
  /// Why the decision should be doubted, in a sentence for a person.
  public private(set) var doubt: String?
  /// What went wrong with what was asked for last, in a sentence for a person.
  public private(set) var problem: String?
  /// What is being done, in a word for a person; nothing while there is nothing to wait for.
  public private(set) var activity: String?
  private var latest: Task<Void, Never>?

  /// A judge without a bundle.
  public init() {}

  /// Opens and verifies a bundle, a folder or a file that `edge-ecg pack` wrote, and judges by it from then on.
  public func open(_ url: URL) async {
    await inTurn(localized("Opening the bundle …")) {
      self.replace(by: try await Task.detached { try ECGBundle(contentsOf: url) }.value)
    }
  }

  /// Judges by another bundle from now on; a baseline, which is of the bundle before, is forgotten.
  public func use(_ bundle: ECGBundle) async {
    await inTurn(localized("Opening the bundle …")) { self.replace(by: bundle) }
  }

  /// Compares with these recordings of the baseline, made on the day that is judged.
  ///
  /// It judges each of them, off the main actor; ``activity`` tells the person meanwhile.
  public func setBaseline(_ read: @escaping @Sendable () async throws -> [ECGRecording]) async {
    await inTurn(localized("Computing the day's baseline …")) {
      let bundle = try self.opened()
      self.baseline = try await Task.detached {
        try ECGDayBaseline(bundle: bundle, recordings: try await read())
      }.value
    }
  }

  /// Judges the recording that `read` gives, at a pace at which the tally is seen to move.
  /// - Parameters:
  ///   - pace: how long each quarter of a second of ECG is shown.
  ///   - read: the recording, and why a decision on it should be doubted.
  public func judge(
    pace: Duration = .milliseconds(20), _ read: @escaping @Sendable () async throws -> (ECGRecording, doubt: String?)
  ) async {
    await inTurn(localized("Judging the ECG …")) {
      let (bundle, baseline) = (try self.opened(), self.baseline)
      (self.decision, self.doubt, self.progress, self.trace) = (nil, nil, 0, ECGTrace())
      let (recording, doubt) = try await Task.detached { try await read() }.value
      self.doubt = doubt
      for try await step in JudgedStep.steps(of: recording, through: bundle, baseline, pace: pace) {
        (self.trace, self.decision, self.progress) = (step.trace, step.decision, step.progress)
        if step.isOutOfDate {
          self.doubt = localized("recorded too long after the training: enroll fresh baselines of three dates")
        }
      }
    }
  }

  private func opened() throws(EdgeECGError) -> ECGBundle {
    guard let bundle else { throw EdgeECGError.bundle("there is no bundle yet") }
    return bundle
  }

  private func replace(by bundle: ECGBundle) {
    (self.bundle, baseline, decision, doubt, progress, trace) = (bundle, nil, nil, nil, 0, ECGTrace())
  }

  /// One thing at a time, in the order in which they were asked for: what began by one bundle ends by it.
  private func inTurn(_ activity: String, _ work: @escaping @MainActor () async throws -> Void) async {
    let before = latest
    let task = Task {
      await before?.value
      guard !Task.isCancelled else { return }
      (self.activity, problem) = (activity, nil)
      defer { self.activity = nil }
      do {
        try await work()
      } catch is CancellationError {
      } catch {
        problem = error.localizedDescription
      }
    }
    latest = task
    await withTaskCancellationHandler {
      await task.value
    } onCancel: {
      task.cancel()
    }
  }
}

/// Some seconds of ECG, and where the R peaks are in it.
public struct ECGTrace: Hashable, Sendable {
  /// Microvolts.
  public let samples: [Double]
  /// Indices into ``samples``.
  public let rPeaks: [Int]

  /// A trace with its R peaks.
  public init(samples: [Double] = [], rPeaks: [Int] = []) {
    (self.samples, self.rPeaks) = (samples, rPeaks)
  }
}

/// What is known after each quarter of a second of ECG.
struct JudgedStep: Sendable {
  private static let stepSeconds = 0.25
  private static let traceSeconds = 5.0

  let trace: ECGTrace
  let decision: ECGDecision
  let progress: Double
  let isOutOfDate: Bool

  static func steps(
    of recording: ECGRecording, through bundle: ECGBundle, _ baseline: ECGDayBaseline?, pace: Duration
  ) -> AsyncThrowingStream<JudgedStep, any Error> {
    AsyncThrowingStream { continuation in
      let task = Task.detached {
        do {
          try await judge(recording, bundle, baseline, pace) { continuation.yield($0) }
          continuation.finish()
        } catch {
          continuation.finish(throwing: error)
        }
      }
      continuation.onTermination = { _ in task.cancel() }
    }
  }

  private static func judge(
    _ recording: ECGRecording, _ bundle: ECGBundle, _ baseline: ECGDayBaseline?, _ pace: Duration,
    show: (JudgedStep) -> Void
  ) async throws {
    var watch = try ECGWatch(
      bundle: bundle, sampleRateHz: recording.sampleRateHz, day: recording.day, dayBaseline: baseline)
    let toSource = try Resampler(rateHz: recording.sampleRateHz, targetHz: bundle.contract.sampleRateHz)
    var rPeaks: [Int] = []
    let samples = recording.samplesMicrovolts
    let chunk = max(1, Int(stepSeconds * recording.sampleRateHz))
    let shown = Int(traceSeconds * recording.sampleRateHz)
    for start in stride(from: 0, to: samples.count, by: chunk) {
      let end = min(start + chunk, samples.count)
      rPeaks += try watch.push(samples[start..<end]).map { Int(toSource.sourceIndex($0.beat.rIndex)) }
      let first = max(0, end - shown)
      show(
        JudgedStep(
          trace: ECGTrace(
            samples: Array(samples[first..<end]), rPeaks: rPeaks.filter { $0 >= first }.map { $0 - first }),
          decision: watch.decision, progress: Double(end) / Double(samples.count), isOutOfDate: watch.isOutOfDate))
      try await Task.sleep(for: pace)
    }
  }
}
