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

    /// An element at once and for each time that ECGs were saved, in the background too; leave the loop to stop.
    ///
    /// Begin when the app is launched, in its delegate: the system launches it in the background, without a view, and
    /// waits there for the loop. It needs the entitlement `com.apple.developer.healthkit.background-delivery`. HealthKit
    /// reports as it sees fit; on the watch at most once an hour.
    public func updates() -> HealthUpdates {
      HealthUpdates { [store] reports in
        let ecg = HKObjectType.electrocardiogramType()
        let query = HKObserverQuery(sampleType: ecg, predicate: nil) { _, done, error in
          let report = HealthUpdates.Report(answer: done)
          if let error { reports.finish(throwing: error) } else { reports.yield(report) }
        }
        store.execute(query)
        let enabling = Task {
          do {
            try await store.enableBackgroundDelivery(for: ecg, frequency: .immediate)
          } catch {
            reports.finish(throwing: error)
          }
        }
        reports.onTermination = { _ in
          enabling.cancel()
          store.stop(query)
        }
      }
    }

    /// A whole ECG with its classification and symptoms.
    ///
    /// A measurement that is missing is NaN, by its value or by the times of those around it: the watch bridges short
    /// gaps, and a beat that a longer one touches does not vote.
    /// - Throws: `EdgeECGError.recording` if it can't be judged, `CancellationError`, and what HealthKit throws.
    public func read(_ electrocardiogram: HKElectrocardiogram) async throws -> HealthECG {
      try await HealthECG(StoredECG(electrocardiogram: electrocardiogram, store: store))
    }
  }

  /// An ECG of a health store.
  private struct StoredECG: HealthECGSource {
    let electrocardiogram: HKElectrocardiogram
    let store: HKHealthStore

    var id: String { electrocardiogram.uuid.uuidString }
    var start: Date { electrocardiogram.startDate }
    var timeZone: String? { electrocardiogram.metadata?[HKMetadataKeyTimeZone] as? String }
    var sampleRateHz: Double? { electrocardiogram.samplingFrequency?.doubleValue(for: .hertz()) }
    var count: Int { electrocardiogram.numberOfVoltageMeasurements }
    var classification: ECGClassification { ECGClassification(electrocardiogram.classification) }

    var measurements: AsyncMapSequence<HKElectrocardiogramQueryDescriptor.Results, HealthMeasurement> {
      HKElectrocardiogramQueryDescriptor(electrocardiogram).results(for: store).map { measurement in
        let voltage = measurement.quantity(for: .appleWatchSimilarToLeadI)
        return HealthMeasurement(
          microvolts: voltage?.doubleValue(for: .voltUnit(with: .micro)), seconds: measurement.timeSinceSampleStart)
      }
    }

    func symptoms() async throws -> [ECGSymptom] {
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
