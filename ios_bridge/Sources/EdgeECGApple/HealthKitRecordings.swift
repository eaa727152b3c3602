#if canImport(HealthKit)
  import EdgeECG
  import Foundation
  import HealthKit

  /// The ECGs in the Health app, as recordings at their own sampling rate and in their own time zone.
  ///
  /// HealthKit hands over finished recordings; no app can listen to an ECG while it is taken.
  public struct HealthKitRecordings: Sendable {
    private let store: HKHealthStore

    /// The recordings of a health store.
    public init(store: HKHealthStore = HKHealthStore()) {
      self.store = store
    }

    /// Asks the person for leave to read ECGs and the symptoms noted with them.
    ///
    /// Whether it was given, HealthKit does not tell: without it there are none.
    /// - Throws: `EdgeECGError.recording` on a device without health data, and what HealthKit throws.
    public func authorize() async throws {
      guard HKHealthStore.isHealthDataAvailable() else {
        throw EdgeECGError.recording("this device has no health data")
      }
      let symptoms = ECGSymptom.allCases.map { HKObjectType.categoryType(forIdentifier: $0.identifier) }
      let read: [HKObjectType] = [HKObjectType.electrocardiogramType()] + symptoms.compactMap { $0 }
      try await store.requestAuthorization(toShare: [], read: Set(read))
    }

    /// The latest ECGs, newest first; ``read(_:)`` reads their values.
    public func latest(_ limit: Int = 1) async throws -> [HKElectrocardiogram] {
      let query = HKSampleQueryDescriptor(
        predicates: [.electrocardiogram()], sortDescriptors: [SortDescriptor(\.startDate, order: .reverse)],
        limit: limit)
      return try await query.result(for: store)
    }

    /// Calls `work` now and whenever an ECG was saved, in the background too, until the app ends.
    ///
    /// Call it when the app is launched. In the background it needs the entitlement
    /// `com.apple.developer.healthkit.background-delivery`; HealthKit waits for `work` before it lets the app sleep.
    public func observe(_ work: @escaping @Sendable () async -> Void) async throws {
      let ecg = HKObjectType.electrocardiogramType()
      let query = HKObserverQuery(sampleType: ecg, predicate: nil) { _, done, error in
        let done = Completion(call: done)
        guard error == nil else { return done.call() }
        Task {
          await work()
          done.call()
        }
      }
      store.execute(query)
      try await store.enableBackgroundDelivery(for: ecg, frequency: .immediate)
    }

    /// A whole ECG with its classification and symptoms.
    ///
    /// A measurement that is missing is NaN, by its value or by the times of those around it: the watch bridges short
    /// gaps, and a beat that a longer one touches does not vote.
    /// - Throws: `EdgeECGError.recording` if it can't be judged, `CancellationError`, and what HealthKit throws.
    public func read(_ electrocardiogram: HKElectrocardiogram) async throws -> HealthECG {
      guard let rate = electrocardiogram.samplingFrequency?.doubleValue(for: .hertz()) else {
        throw EdgeECGError.recording("the ECG of \(electrocardiogram.startDate) has no sampling rate")
      }
      var samples = TimedSamples(rateHz: rate)
      var measured = 0
      for try await measurement in HKElectrocardiogramQueryDescriptor(electrocardiogram).results(for: store) {
        let voltage = measurement.quantity(for: .appleWatchSimilarToLeadI)
        try samples.add(
          voltage?.doubleValue(for: .voltUnit(with: .micro)), at: measurement.timeSinceSampleStart)
        measured += 1
      }
      try Task.checkCancellation()
      guard measured >= electrocardiogram.numberOfVoltageMeasurements else {  // half an ECG is none
        throw EdgeECGError.recording(
          "the ECG of \(electrocardiogram.startDate) gave \(measured) of its "
            + "\(electrocardiogram.numberOfVoltageMeasurements) measurements")
      }
      let recording = try ECGRecording(
        samplesMicrovolts: samples.microvolts, sampleRateHz: rate, source: "Health \(electrocardiogram.uuid)",
        recordedAt: Self.text(electrocardiogram.startDate, zone: Self.zone(of: electrocardiogram)))
      return HealthECG(
        recording: recording, classification: ECGClassification(electrocardiogram.classification),
        symptoms: try await symptoms(of: electrocardiogram))
    }

    private func symptoms(of electrocardiogram: HKElectrocardiogram) async throws -> [ECGSymptom] {
      guard electrocardiogram.symptomsStatus == .present else { return [] }
      let associated = HKQuery.predicateForObjectsAssociated(electrocardiogram: electrocardiogram)
      var noted: [ECGSymptom] = []
      for symptom in ECGSymptom.allCases {
        guard let type = HKObjectType.categoryType(forIdentifier: symptom.identifier) else { continue }
        let query = HKSampleQueryDescriptor(
          predicates: [.categorySample(type: type, predicate: associated)], sortDescriptors: [], limit: 1)
        if try await !query.result(for: store).isEmpty { noted.append(symptom) }
      }
      return noted
    }

    /// Where it was recorded, whose day counts; where that is not said, where the person is now.
    private static func zone(of electrocardiogram: HKElectrocardiogram) -> TimeZone {
      let name = electrocardiogram.metadata?[HKMetadataKeyTimeZone] as? String
      return name.flatMap { TimeZone(identifier: $0) } ?? .current
    }

    /// As Apple's files write it: `2021-12-17 12:58:58 +0800`.
    private static func text(_ date: Date, zone: TimeZone) -> String {
      let format = DateFormatter()
      format.locale = Locale(identifier: "en_US_POSIX")
      format.calendar = Calendar(identifier: .gregorian)
      format.timeZone = zone
      format.dateFormat = "yyyy-MM-dd HH:mm:ss Z"
      return format.string(from: date)
    }
  }

  /// HealthKit's completion handler, which it lets any thread call.
  private struct Completion: @unchecked Sendable {
    let call: () -> Void
  }

  extension ECGClassification {
    fileprivate init(_ classification: HKElectrocardiogram.Classification) {
      switch classification {
      case .sinusRhythm: self = .sinusRhythm
      case .atrialFibrillation: self = .atrialFibrillation
      case .inconclusiveLowHeartRate: self = .lowHeartRate
      case .inconclusiveHighHeartRate: self = .highHeartRate
      case .inconclusivePoorReading: self = .poorReading
      case .inconclusiveOther: self = .inconclusive
      case .notSet, .unrecognized: self = .unknown
      @unknown default: self = .unknown
      }
    }
  }

  extension ECGSymptom {
    fileprivate var identifier: HKCategoryTypeIdentifier {
      switch self {
      case .rapidHeartbeat: .rapidPoundingOrFlutteringHeartbeat
      case .skippedHeartbeat: .skippedHeartbeat
      case .fatigue: .fatigue
      case .shortnessOfBreath: .shortnessOfBreath
      case .chestPain: .chestTightnessOrPain
      case .fainting: .fainting
      case .dizziness: .dizziness
      }
    }
  }
#endif
