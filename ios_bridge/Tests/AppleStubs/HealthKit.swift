// Just enough of Apple's HealthKit to type-check Sources/EdgeECGApple without a Mac; nothing here runs.
import Foundation

public enum HKMetricPrefix: Int, Sendable { case none, micro, milli }

open class HKUnit: NSObject, @unchecked Sendable {
  public class func hertz() -> HKUnit { fatalError() }
  public class func voltUnit(with prefix: HKMetricPrefix) -> HKUnit { fatalError() }
}

open class HKQuantity: NSObject, @unchecked Sendable {
  public func doubleValue(for unit: HKUnit) -> Double { fatalError() }
}

open class HKObjectType: NSObject, @unchecked Sendable {
  public class func electrocardiogramType() -> HKElectrocardiogramType { fatalError() }
  public class func categoryType(forIdentifier identifier: HKCategoryTypeIdentifier) -> HKCategoryType? { fatalError() }
}
open class HKSampleType: HKObjectType, @unchecked Sendable {}
open class HKElectrocardiogramType: HKSampleType, @unchecked Sendable {}
open class HKCategoryType: HKSampleType, @unchecked Sendable {}
public struct HKCategoryTypeIdentifier: RawRepresentable, Hashable, Sendable {
  public let rawValue: String
  public init(rawValue: String) { self.rawValue = rawValue }
  public static let rapidPoundingOrFlutteringHeartbeat = HKCategoryTypeIdentifier(rawValue: "")
  public static let skippedHeartbeat = HKCategoryTypeIdentifier(rawValue: "")
  public static let fatigue = HKCategoryTypeIdentifier(rawValue: "")
  public static let shortnessOfBreath = HKCategoryTypeIdentifier(rawValue: "")
  public static let chestTightnessOrPain = HKCategoryTypeIdentifier(rawValue: "")
  public static let fainting = HKCategoryTypeIdentifier(rawValue: "")
  public static let dizziness = HKCategoryTypeIdentifier(rawValue: "")
}

public let HKMetadataKeyTimeZone = "HKTimeZone"

open class HKObject: NSObject, @unchecked Sendable {
  public var uuid: UUID { fatalError() }
  public var metadata: [String: Any]? { fatalError() }
}
open class HKSample: HKObject, @unchecked Sendable {
  public var startDate: Date { fatalError() }
}
open class HKCategorySample: HKSample, @unchecked Sendable {}
open class HKElectrocardiogram: HKSample, @unchecked Sendable {
  public enum Classification: Int, Sendable {
    case notSet, sinusRhythm, atrialFibrillation, inconclusiveLowHeartRate, inconclusiveHighHeartRate
    case inconclusivePoorReading, inconclusiveOther, unrecognized
  }
  public enum SymptomsStatus: Int, Sendable { case notSet, none, present }
  public enum Lead: Int, Sendable { case appleWatchSimilarToLeadI = 1 }
  open class VoltageMeasurement: NSObject, @unchecked Sendable {
    public func quantity(for lead: Lead) -> HKQuantity? { fatalError() }
    public var timeSinceSampleStart: TimeInterval { fatalError() }
  }
  public var classification: Classification { fatalError() }
  public var symptomsStatus: SymptomsStatus { fatalError() }
  public var numberOfVoltageMeasurements: Int { fatalError() }
  public var samplingFrequency: HKQuantity? { fatalError() }
}

open class HKQuery: NSObject, @unchecked Sendable {
  public class func predicateForObjectsAssociated(electrocardiogram: HKElectrocardiogram) -> NSPredicate {
    fatalError()
  }
}
public typealias HKObserverQueryCompletionHandler = () -> Void
open class HKObserverQuery: HKQuery, @unchecked Sendable {
  public init(
    sampleType: HKSampleType, predicate: NSPredicate?,
    updateHandler:
      @escaping @Sendable (HKObserverQuery, @escaping HKObserverQueryCompletionHandler, (any Error)?) -> Void
  ) { fatalError() }
}
public enum HKUpdateFrequency: Int, Sendable { case immediate = 1, hourly, daily, weekly }
public struct HKSamplePredicate<Sample: HKSample>: @unchecked Sendable {}
extension HKSamplePredicate where Sample == HKElectrocardiogram {
  public static func electrocardiogram(_ predicate: NSPredicate? = nil) -> HKSamplePredicate<HKElectrocardiogram> {
    fatalError()
  }
}
extension HKSamplePredicate where Sample == HKCategorySample {
  public static func categorySample(
    type: HKCategoryType, predicate: NSPredicate? = nil
  ) -> HKSamplePredicate<HKCategorySample> { fatalError() }
}
public struct HKSampleQueryDescriptor<Sample: HKSample>: @unchecked Sendable {
  public init(
    predicates: [HKSamplePredicate<Sample>], sortDescriptors: [SortDescriptor<Sample>], limit: Int? = nil
  ) { fatalError() }
  public func result(for healthStore: HKHealthStore) async throws -> [Sample] { fatalError() }
}
public struct HKElectrocardiogramQueryDescriptor: Sendable {
  public init(_ electrocardiogram: HKElectrocardiogram) { fatalError() }
  public func results(for healthStore: HKHealthStore) -> Results { fatalError() }
  public struct Results: AsyncSequence, Sendable {
    public typealias Element = HKElectrocardiogram.VoltageMeasurement
    public struct Iterator: AsyncIteratorProtocol {
      public mutating func next() async throws -> HKElectrocardiogram.VoltageMeasurement? { fatalError() }
    }
    public func makeAsyncIterator() -> Iterator { fatalError() }
  }
}

open class HKHealthStore: NSObject, @unchecked Sendable {
  public class func isHealthDataAvailable() -> Bool { fatalError() }
  public func requestAuthorization(toShare: Set<HKSampleType>, read: Set<HKObjectType>) async throws { fatalError() }
  public func execute(_ query: HKQuery) { fatalError() }
  public func stop(_ query: HKQuery) { fatalError() }
  public func enableBackgroundDelivery(for type: HKObjectType, frequency: HKUpdateFrequency) async throws {
    fatalError()
  }
}
