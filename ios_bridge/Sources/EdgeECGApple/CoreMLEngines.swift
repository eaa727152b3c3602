#if canImport(CoreML) && !os(watchOS)
  import CoreML
  import EdgeECG
  import Foundation

  /// The bundle's `Encoder.mlpackage` through Core ML.
  ///
  /// Not on the watch: watchOS can't compile a model, and ``EdgeECG/PortableEncoder`` is the one to use there.
  public struct CoreMLEncoder: ECGEncoder {
    private let graph: CoreMLGraph
    /// Numbers in a beat.
    public let beatLength: Int
    /// Numbers in an embedding.
    public let embeddingLength: Int

    /// Compiles the bundle's encoder, or takes it from the cache.
    public init(
      _ bundle: ECGBundle, computeUnits: MLComputeUnits = .cpuOnly, cache: CompiledModels = CompiledModels()
    ) async throws {
      graph = try await CoreMLGraph("Encoder.mlpackage", of: bundle, computeUnits, cache)
      beatLength = bundle.encoder.beatLength
      embeddingLength = bundle.encoder.embeddingLength
    }

    /// Writes the embedding of a beat into `embedding`.
    public mutating func encode(_ beat: [Float], into embedding: inout [Float]) throws(EdgeECGError) {
      guard beat.count == beatLength else {
        throw EdgeECGError.contract("beat has \(beat.count) numbers, the encoder takes \(beatLength)")
      }
      embedding = try graph.run(["beat": (beat, [1, beatLength])], output: "embedding", count: embeddingLength)
    }
  }

  /// The bundle's `Comparator.mlpackage` through Core ML.
  public struct CoreMLComparator: ECGComparator {
    private let graph: CoreMLGraph
    /// Numbers in an embedding.
    public let embeddingLength: Int

    /// Compiles the bundle's comparator, or takes it from the cache.
    public init(
      _ bundle: ECGBundle, computeUnits: MLComputeUnits = .cpuOnly, cache: CompiledModels = CompiledModels()
    ) async throws {
      graph = try await CoreMLGraph("Comparator.mlpackage", of: bundle, computeUnits, cache)
      embeddingLength = bundle.comparator.embeddingLength
    }

    /// Writes one logit of "different states" for each reference into `logits`.
    public mutating func compare(
      _ embedding: [Float], with references: ReferenceBank, into logits: inout [Float]
    ) throws(EdgeECGError) {
      guard embedding.count == embeddingLength, references.embeddingLength == embeddingLength else {
        throw EdgeECGError.contract("the comparator takes embeddings of \(embeddingLength) numbers")
      }
      let inputs = [
        "embedding": (embedding, [1, embeddingLength]),
        "references": (references.embeddings, [references.count, embeddingLength]),
      ]
      logits = try graph.run(inputs, output: "logit", count: references.count)
    }
  }

  /// One compiled model. `MLModel` predicts from any thread (Apple's documentation of `prediction(from:)`), and nothing
  /// here changes after it is made.
  private struct CoreMLGraph: @unchecked Sendable {
    private let model: MLModel

    init(
      _ package: String, of bundle: ECGBundle, _ computeUnits: MLComputeUnits, _ cache: CompiledModels
    ) async throws {
      let configuration = MLModelConfiguration()
      configuration.computeUnits = computeUnits
      model = try MLModel(contentsOf: try await cache.compiled(package, of: bundle), configuration: configuration)
    }

    func run(
      _ inputs: [String: (values: [Float], shape: [Int])], output: String, count: Int
    ) throws(EdgeECGError) -> [Float] {
      let array: MLMultiArray?
      do {
        let features = try inputs.mapValues { input -> MLFeatureValue in
          let array = try MLMultiArray(shape: input.shape.map { NSNumber(value: $0) }, dataType: .float32)
          for (index, value) in input.values.enumerated() { array[index] = NSNumber(value: value) }
          return MLFeatureValue(multiArray: array)
        }
        let result = try model.prediction(from: MLDictionaryFeatureProvider(dictionary: features))
        array = result.featureValue(for: output)?.multiArrayValue
      } catch {
        throw EdgeECGError.contract("Core ML can't run the model: \(error.localizedDescription)")
      }
      guard let array, array.count == count else {
        throw EdgeECGError.contract("the Core ML model gives no \(output) of \(count) numbers")
      }
      return (0..<count).map { array[$0].floatValue }
    }
  }

  /// Compiled models, kept by the hash of what they were compiled from: a changed bundle is compiled anew.
  public struct CompiledModels: Sendable {
    private let folder: URL

    /// A cache in `folder`; by default in the app's caches, which the system may empty.
    public init(folder: URL? = nil) {
      self.folder =
        folder ?? FileManager.default.temporaryDirectory.appendingPathComponent("EdgeECG-models", isDirectory: true)
    }

    func compiled(_ package: String, of bundle: ECGBundle) async throws -> URL {
      let files = (bundle.manifest["files"]?.members ?? []).filter { $0.key.hasPrefix(package + "/") }
      guard !files.isEmpty else { throw EdgeECGError.bundle("\(bundle.source): holds no \(package)") }
      let hashes = files.map { "\($0.key) \($0.value["sha256"]?.text ?? "")" }.joined(separator: "\n")
      let kept = folder.appendingPathComponent("\(SHA256.hexDigest(of: Array(hashes.utf8))).mlmodelc")
      if FileManager.default.fileExists(atPath: kept.path) { return kept }
      let source = (bundle.folder ?? URL(fileURLWithPath: "/")).appendingPathComponent(package)
      let fresh = try await MLModel.compileModel(at: source)
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      do {
        try FileManager.default.moveItem(at: fresh, to: kept)
      } catch  where FileManager.default.fileExists(atPath: kept.path) {
        try? FileManager.default.removeItem(at: fresh)  // another task was first
      }
      return kept
    }
  }
#endif
