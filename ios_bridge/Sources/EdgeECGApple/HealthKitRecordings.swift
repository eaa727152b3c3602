#if canImport(HealthKit)
  import EdgeECG
  import Foundation
  import HealthKit

  /// The ECGs in the Health app, as recordings: value by value, at each recording's own sampling rate.
  ///
  /// HealthKit hands over finished recordings; no app can listen to an ECG while it is taken.
  public struct HealthKitRecordings: Sendable {
    private let store: HKHealthStore

    /// The recordings of a health store.
    public init(store: HKHealthStore = HKHealthStore()) {
      self.store = store
    }

    /// Asks the person for leave to read ECGs. Whether it was given, HealthKit does not tell: without it there are none.
    /// - Throws: ``EdgeECG/EdgeECGError/recording(_:)`` on a device without health data, and what HealthKit throws.
    public func authorize() async throws {
      guard HKHealthStore.isHealthDataAvailable() else {
        throw EdgeECGError.recording("this device has no health data")
      }
      try await store.requestAuthorization(toShare: [], read: [HKObjectType.electrocardiogramType()])
    }

    /// The latest ECGs, newest first; ``recording(_:)`` reads their values.
    public func latest(_ limit: Int = 1) async throws -> [HKElectrocardiogram] {
      let query = HKSampleQueryDescriptor(
        predicates: [.electrocardiogram()], sortDescriptors: [SortDescriptor(\.startDate, order: .reverse)],
        limit: limit)
      return try await query.result(for: store)
    }

    /// The whole recording of an ECG.
    /// - Throws: ``EdgeECG/EdgeECGError/recording(_:)`` if it can't be judged, `CancellationError`, and what HealthKit
    ///   throws.
    public func recording(_ electrocardiogram: HKElectrocardiogram) async throws -> Recording {
      guard let rate = electrocardiogram.samplingFrequency?.doubleValue(for: .hertz()) else {
        throw EdgeECGError.recording("the ECG of \(electrocardiogram.startDate) has no sampling rate")
      }
      var samples: [Double] = []
      for try await microvolts in self.microvolts(of: electrocardiogram) { samples.append(microvolts) }
      try Task.checkCancellation()  // a cancelled stream ends early, and half an ECG is none
      return try Recording(
        samplesMicrovolts: samples, sampleRateHz: rate, source: "Health \(electrocardiogram.uuid)",
        recordedAt: Self.text(electrocardiogram.startDate, zone: Self.zone(of: electrocardiogram)))
    }

    /// The values of an ECG in microvolts, in order. Ending the iteration, or cancelling its task, stops the query.
    /// A missing measurement is NaN, which the watch knows how to treat.
    public func microvolts(of electrocardiogram: HKElectrocardiogram) -> AsyncThrowingStream<Double, any Error> {
      let store = store
      return AsyncThrowingStream { continuation in
        let query = HKElectrocardiogramQuery(electrocardiogram) { _, result in
          switch result {
          case .measurement(let measurement):
            let voltage = measurement.quantity(for: .appleWatchSimilarToLeadI)
            continuation.yield(voltage?.doubleValue(for: .voltUnit(with: .micro)) ?? .nan)
          case .done: continuation.finish()
          case .error(let error): continuation.finish(throwing: error)
          @unknown default: continuation.finish()
          }
        }
        continuation.onTermination = { _ in store.stop(query) }
        store.execute(query)
      }
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
#endif
