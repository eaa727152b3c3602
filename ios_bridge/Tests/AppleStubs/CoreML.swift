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
  public convenience init(_ shapedArray: MLShapedArray<Float>) { fatalError() }
  public var count: Int { fatalError() }
}

public protocol MLShapedArrayScalar {}
extension Float: MLShapedArrayScalar {}
public struct MLShapedArray<Scalar: MLShapedArrayScalar> {
  public init(scalars: some Sequence<Scalar>, shape: [Int]) { fatalError() }
  public init(converting multiArray: MLMultiArray) { fatalError() }
  public var scalars: [Scalar] { fatalError() }
}

open class MLDictionaryFeatureProvider: NSObject, MLFeatureProvider {
  public init(dictionary: [String: Any]) throws { fatalError() }
  public var featureNames: Set<String> { fatalError() }
  public func featureValue(for featureName: String) -> MLFeatureValue? { fatalError() }
}

open class MLModel: NSObject {
  public class func load(contentsOf url: URL, configuration: MLModelConfiguration) async throws -> MLModel {
    fatalError()
  }
  public static func compileModel(at modelURL: URL) async throws -> URL { fatalError() }
  public func prediction(from input: any MLFeatureProvider) throws -> any MLFeatureProvider { fatalError() }
}
