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
}
open class HKSampleType: HKObjectType, @unchecked Sendable {}
open class HKElectrocardiogramType: HKSampleType, @unchecked Sendable {}

public let HKMetadataKeyTimeZone = "HKTimeZone"

open class HKObject: NSObject, @unchecked Sendable {
  public var uuid: UUID { fatalError() }
  public var metadata: [String: Any]? { fatalError() }
}
open class HKSample: HKObject, @unchecked Sendable {
  public var startDate: Date { fatalError() }
}
open class HKElectrocardiogram: HKSample, @unchecked Sendable {
  public enum Lead: Int, Sendable { case appleWatchSimilarToLeadI = 1 }
  open class VoltageMeasurement: NSObject, @unchecked Sendable {
    public func quantity(for lead: Lead) -> HKQuantity? { fatalError() }
  }
  public var samplingFrequency: HKQuantity? { fatalError() }
}

open class HKQuery: NSObject, @unchecked Sendable {}
public struct HKSamplePredicate<Sample: HKSample>: @unchecked Sendable {}
extension HKSamplePredicate where Sample == HKElectrocardiogram {
  public static func electrocardiogram(_ predicate: NSPredicate? = nil) -> HKSamplePredicate<HKElectrocardiogram> {
    fatalError()
  }
}
public struct HKSampleQueryDescriptor<Sample: HKSample>: @unchecked Sendable {
  public init(
    predicates: [HKSamplePredicate<Sample>], sortDescriptors: [SortDescriptor<Sample>], limit: Int? = nil
  ) { fatalError() }
  public func result(for healthStore: HKHealthStore) async throws -> [Sample] { fatalError() }
}
open class HKElectrocardiogramQuery: HKQuery, @unchecked Sendable {
  public enum Result {
    case measurement(HKElectrocardiogram.VoltageMeasurement)
    case done
    case error(any Error)
  }
  public init(
    _ electrocardiogram: HKElectrocardiogram,
    dataHandler: @escaping @Sendable (HKElectrocardiogramQuery, HKElectrocardiogramQuery.Result) -> Void
  ) { fatalError() }
}

open class HKHealthStore: NSObject, @unchecked Sendable {
  public class func isHealthDataAvailable() -> Bool { fatalError() }
  public func requestAuthorization(toShare: Set<HKSampleType>, read: Set<HKObjectType>) async throws { fatalError() }
  public func execute(_ query: HKQuery) { fatalError() }
  public func stop(_ query: HKQuery) { fatalError() }
}
