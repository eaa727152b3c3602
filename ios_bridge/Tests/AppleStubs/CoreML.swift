// Just enough of Apple's Core ML to type-check Sources/EdgeECGApple without a Mac; nothing here runs.
import Foundation

public enum MLComputeUnits: Int, Sendable { case cpuOnly, cpuAndGPU, all, cpuAndNeuralEngine }
public enum MLMultiArrayDataType: Int, Sendable { case double, float32, float16, int32 }

open class MLModelConfiguration: NSObject {
  public var computeUnits: MLComputeUnits = .all
}

public protocol MLFeatureProvider {
  var featureNames: Set<String> { get }
  func featureValue(for featureName: String) -> MLFeatureValue?
}

open class MLFeatureValue: NSObject {
  public convenience init(multiArray value: MLMultiArray) { fatalError() }
  public var multiArrayValue: MLMultiArray? { fatalError() }
}

open class MLMultiArray: NSObject {
  public init(shape: [NSNumber], dataType: MLMultiArrayDataType) throws { fatalError() }
  public var count: Int { fatalError() }
  public subscript(idx: Int) -> NSNumber {
    get { fatalError() }
    set { fatalError() }
  }
}

open class MLDictionaryFeatureProvider: NSObject, MLFeatureProvider {
  public init(dictionary: [String: Any]) throws { fatalError() }
  public var featureNames: Set<String> { fatalError() }
  public func featureValue(for featureName: String) -> MLFeatureValue? { fatalError() }
}

open class MLModel: NSObject {
  public convenience init(contentsOf url: URL, configuration: MLModelConfiguration) throws { fatalError() }
  public static func compileModel(at modelURL: URL) async throws -> URL { fatalError() }
  public func prediction(from input: any MLFeatureProvider) throws -> any MLFeatureProvider { fatalError() }
}
