#if canImport(CoreML) && !os(watchOS)
  import CoreML
  import EdgeECG
  import Foundation

  /// Where and how a bundle's Core ML packages run.
  public struct CoreMLOptions: Sendable {
    /// Which of a bundle's packages runs. The manifest's `parity` has the errors of each; a bundle has no package that
    /// decides differently from its model.
    public enum Artifact: String, Sendable, CaseIterable {
      case float32 = ""
      case float16 = "_fp16"
      case int8 = "_int8"
    }

    /// Which packages.
    public var artifact: Artifact
    /// On which units. The networks are so small that starting another unit takes longer than running them.
    public var computeUnits: MLComputeUnits
    /// Where compiled models are kept; the system may empty the app's caches, which are the default.
    public var cacheFolder: URL

    /// By default float32 on the CPU.
    public init(
      artifact: Artifact = .float32, computeUnits: MLComputeUnits = .cpuOnly,
      cacheFolder: URL? = nil
    ) {
      (self.artifact, self.computeUnits) = (artifact, computeUnits)
      let caches = FileManager.default.urls(for: .cachesDirectory, in: .userDomainMask).first
      self.cacheFolder =
        cacheFolder
        ?? (caches ?? FileManager.default.temporaryDirectory).appendingPathComponent("EdgeECG", isDirectory: true)
    }
  }

  extension ECGBundle {
    /// The same bundle, judging through Core ML. The references stay float32, whatever the artifact.
    /// - Throws: `EdgeECGError.bundle` if the bundle holds no such packages, and what Core ML throws.
    public func onCoreML(_ options: CoreMLOptions = CoreMLOptions()) async throws -> ECGBundle {
      var bundle = self
      bundle.encoder = try await CoreMLEncoder(bundle: self, options: options)
      bundle.comparator = try await CoreMLComparator(bundle: self, options: options)
      return bundle
    }
  }

  /// The bundle's encoder through Core ML.
  ///
  /// Not on the watch: watchOS can't compile a model, and `PortableEncoder` is the one to use there.
  struct CoreMLEncoder: ECGEncoder {
    private let graph: CoreMLGraph
    /// Numbers in a beat.
    let beatLength: Int
    /// Numbers in an embedding.
    let embeddingLength: Int

    /// Compiles the bundle's encoder, or takes it from the cache.
    init(bundle: ECGBundle, options: CoreMLOptions = CoreMLOptions()) async throws {
      graph = try await CoreMLGraph("Encoder", of: bundle, options)
      beatLength = bundle.encoder.beatLength
      embeddingLength = bundle.encoder.embeddingLength
    }

    /// Writes the embedding of a beat into `embedding`.
    mutating func encode(_ beat: [Float], into embedding: inout [Float]) throws(EdgeECGError) {
      guard beat.count == beatLength else {
        throw EdgeECGError.contract("beat has \(beat.count) numbers, the encoder takes \(beatLength)")
      }
      embedding = try graph.run(["beat": (beat, [1, beatLength])], output: "embedding", count: embeddingLength)
    }
  }

  /// The bundle's comparator through Core ML.
  struct CoreMLComparator: ECGComparator {
    private let graph: CoreMLGraph
    /// Numbers in an embedding.
    let embeddingLength: Int

    /// Compiles the bundle's comparator, or takes it from the cache.
    init(bundle: ECGBundle, options: CoreMLOptions = CoreMLOptions()) async throws {
      graph = try await CoreMLGraph("Comparator", of: bundle, options)
      embeddingLength = bundle.comparator.embeddingLength
    }

    /// Writes one logit of "different states" for each reference into `logits`.
    mutating func compare(
      _ embedding: [Float], with references: ECGReferences, into logits: inout [Float]
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

  /// One compiled model, which copies of an engine share.
  ///
  /// Apple asks that a model be used "on one thread or one dispatch queue at a time" (documentation of `MLModel`), so
  /// that a lock makes predictions wait for each other.
  private final class CoreMLGraph: @unchecked Sendable {
    private let model: MLModel
    private let lock = NSLock()

    init(_ name: String, of bundle: ECGBundle, _ options: CoreMLOptions) async throws {
      let configuration = MLModelConfiguration()
      configuration.computeUnits = options.computeUnits
      let compiled = try await compiled(
        "\(name)\(options.artifact.rawValue).mlpackage", of: bundle, into: options.cacheFolder)
      model = try await MLModel.load(contentsOf: compiled, configuration: configuration)
    }

    func run(
      _ inputs: [String: (values: [Float], shape: [Int])], output: String, count: Int
    ) throws(EdgeECGError) -> [Float] {
      let array: MLMultiArray?
      do {
        let features = inputs.mapValues { input in
          MLFeatureValue(multiArray: MLMultiArray(MLShapedArray<Float>(scalars: input.values, shape: input.shape)))
        }
        let provider = try MLDictionaryFeatureProvider(dictionary: features)
        array = try lock.withLock { try model.prediction(from: provider).featureValue(for: output)?.multiArrayValue }
      } catch {
        throw EdgeECGError.contract("Core ML can't run the model: \(error.localizedDescription)")
      }
      guard let array, array.count == count else {
        throw EdgeECGError.contract("the Core ML model gives no \(output) of \(count) numbers")
      }
      return MLShapedArray<Float>(converting: array).scalars
    }
  }

  /// A compiled package in `folder`, by the hash of what it was compiled from: a changed bundle is compiled anew.
  private func compiled(_ package: String, of bundle: ECGBundle, into folder: URL) async throws -> URL {
    let files = (bundle.manifest["files"]?.members ?? []).filter { $0.key.hasPrefix(package + "/") }
    guard let source = bundle.folder, !files.isEmpty else {
      throw EdgeECGError.bundle("\(bundle.source): holds no \(package)")
    }
    let hashes = files.map { "\($0.key) \($0.value["sha256"]?.text ?? "")" }.joined(separator: "\n")
    let kept = folder.appendingPathComponent("\(SHA256.hexDigest(of: Array(hashes.utf8))).mlmodelc")
    if FileManager.default.fileExists(atPath: kept.path) { return kept }
    let fresh = try await MLModel.compileModel(at: source.appendingPathComponent(package))
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    do {
      try FileManager.default.moveItem(at: fresh, to: kept)
    } catch  where FileManager.default.fileExists(atPath: kept.path) {
      try? FileManager.default.removeItem(at: fresh)  // another task was first
    }
    return kept
  }
#endif
