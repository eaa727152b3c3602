import EdgeECG
import Foundation

/// An ECG of the Health app: the recording, and what Apple's own app and the person said of it.
public struct HealthECG: Hashable, Sendable, Codable {
  /// The samples.
  public let recording: ECGRecording
  /// What Apple's ECG app made of it.
  public let classification: ECGClassification
  /// What the person noted with it; nothing if nothing was asked or noted, or may not be read.
  public let symptoms: [ECGSymptom]

  /// An ECG that was read already.
  public init(recording: ECGRecording, classification: ECGClassification, symptoms: [ECGSymptom] = []) {
    (self.recording, self.classification, self.symptoms) = (recording, classification, symptoms)
  }

  /// Why a decision on it should be doubted, in one sentence for a person; nothing for a sinus rhythm without symptoms.
  public var doubt: String? {
    let names = symptoms.map(\.localizedDescription).joined(separator: ", ")
    let noted = symptoms.isEmpty ? nil : localized("noted with it: %@", names)
    let doubts = [classification.doubt, noted].compactMap { $0 }
    return doubts.isEmpty ? nil : doubts.joined(separator: "; ")
  }
}

/// What Apple's ECG app made of an ECG. A bundle is trained on sinus rhythm; any other is a reason to doubt.
public enum ECGClassification: String, Hashable, Sendable, Codable, CaseIterable {
  case sinusRhythm = "sinus rhythm"
  case atrialFibrillation = "atrial fibrillation"
  case lowHeartRate = "inconclusive, low heart rate"
  case highHeartRate = "inconclusive, high heart rate"
  case poorReading = "inconclusive, poor reading"
  case inconclusive = "inconclusive"
  case unknown = "not classified"

  /// What to say beside a decision; nothing for a sinus rhythm.
  public var doubt: String? {
    self == .sinusRhythm ? nil : localized("the ECG app's classification: %@", localizedDescription)
  }

  /// The classification in the user's language.
  public var localizedDescription: String { localized(rawValue) }
}

/// What a person can note with an ECG.
public enum ECGSymptom: String, Hashable, Sendable, Codable, CaseIterable {
  case rapidHeartbeat = "rapid, pounding or fluttering heartbeat"
  case skippedHeartbeat = "skipped heartbeat"
  case fatigue
  case shortnessOfBreath = "shortness of breath"
  case chestPain = "chest tightness or pain"
  case fainting
  case dizziness

  /// The symptom in the user's language.
  public var localizedDescription: String { localized(rawValue) }
}

/// What HealthKit knows of one ECG. `HealthKitRecordings` has the real one; tests have theirs.
protocol HealthECGSource: Sendable {
  associatedtype Measurements: AsyncSequence where Measurements.Element == HealthMeasurement

  var id: String { get }
  var start: Date { get }
  /// The name of the time zone that it was recorded in.
  var timeZone: String? { get }
  var sampleRateHz: Double? { get }
  /// How many measurements it should have.
  var count: Int { get }
  var classification: ECGClassification { get }
  var measurements: Measurements { get }
  func symptoms() async throws -> [ECGSymptom]
}

/// One value of an ECG: nothing for a voltage that is missing.
struct HealthMeasurement: Sendable {
  let microvolts: Double?
  let seconds: Double
}

extension HealthECG {
  /// The whole ECG. A missing measurement is NaN, by its value or by the times of those around it.
  init(_ source: some HealthECGSource) async throws {
    guard let rate = source.sampleRateHz else {
      throw EdgeECGError.recording("the ECG of \(source.start) has no sampling rate")
    }
    var samples = TimedSamples(rateHz: rate)
    var measured = 0
    for try await measurement in source.measurements {
      try samples.add(measurement.microvolts, at: measurement.seconds)
      measured += 1
    }
    try Task.checkCancellation()  // a canceled sequence just ends
    guard measured >= source.count else {  // half an ECG is none
      throw EdgeECGError.recording("the ECG of \(source.start) gave \(measured) of its \(source.count) measurements")
    }
    let recording = try ECGRecording(
      samplesMicrovolts: samples.microvolts, sampleRateHz: rate, source: "Health \(source.id)",
      recordedAt: Self.text(source.start, zone: source.timeZone))
    self.init(recording: recording, classification: source.classification, symptoms: try await source.symptoms())
  }

  /// As Apple's files write it, `2021-12-17 12:58:58 +0800`: where it was recorded, whose day counts; where that is not
  /// known, where the person is now.
  private static func text(_ date: Date, zone: String?) -> String {
    let format = DateFormatter()
    format.locale = Locale(identifier: "en_US_POSIX")
    format.calendar = Calendar(identifier: .gregorian)
    format.timeZone = zone.flatMap { TimeZone(identifier: $0) } ?? .current
    format.dateFormat = "yyyy-MM-dd HH:mm:ss Z"
    return format.string(from: date)
  }
}

/// Places values by their time, so that what is missing between them stays missing.
struct TimedSamples {
  /// Microvolts at the rate; NaN where nothing came.
  private(set) var microvolts: [Double] = []
  private let rateHz: Double
  private var latest: Double?  // seconds

  init(rateHz: Double) { self.rateHz = rateHz }

  /// Takes the value at `seconds` since the recording began; nothing stands for a value that is missing.
  ///
  /// A gap is one by the time since the value before and by the time since the start: times that jitter fail only the
  /// first, a rate that is not quite the stated one only the second.
  /// - Throws: `EdgeECGError.recording` for a time that is not after the last one, or a minute or more after it.
  mutating func add(_ value: Double?, at seconds: Double) throws(EdgeECGError) {
    let step = latest.map { seconds - $0 } ?? seconds + 1 / rateHz
    guard step > 0, step < 60 else {
      throw EdgeECGError.recording("a measurement of the ECG is said to be \(seconds) s after its start, out of order")
    }
    latest = seconds
    let missing = (step * rateHz).rounded() - 1
    if missing >= 1, (seconds * rateHz + 0.1).rounded(.down) > Double(microvolts.count) {
      microvolts += repeatElement(.nan, count: Int(missing))
    }
    microvolts.append(value ?? .nan)
  }
}
