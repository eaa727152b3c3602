import Foundation
import Testing

@testable import EdgeECG
@testable import EdgeECGApple
@testable import EdgeECGCore

#if canImport(CoreML) && !os(watchOS)
  /// Core ML's own predictions for a bundle's golden vectors. A bundle with Core ML packages comes from `make demo`:
  /// `EDGE_ECG_BUNDLE=$PWD/out/demo/bundle swift test --filter CoreMLTests`.
  @Suite struct CoreMLTests {
    private static let path = ProcessInfo.processInfo.environment["EDGE_ECG_BUNDLE"]

    /// As near to the trained model as its own file was in NumPy, times two; no nearer than float32 adds up.
    @Test(
      .enabled(if: path != nil, "EDGE_ECG_BUNDLE names no bundle with Core ML packages: Core ML was NOT run"),
      arguments: CoreMLOptions.Artifact.allCases)
    func goldenVectorsFollowTheModel(artifact: CoreMLOptions.Artifact) async throws {
      let folder = URL(fileURLWithPath: try #require(Self.path))
      let bundle = try ECGBundle(contentsOf: folder)
      guard bundle.hash(ofFile: "Encoder\(artifact.rawValue).mlpackage/Manifest.json") != nil else {
        print("the bundle has no \(artifact) packages: they were NOT run")
        return
      }
      let cache = FileManager.default.temporaryDirectory.appendingPathComponent("EdgeECG-\(UUID().uuidString)")
      defer { try? FileManager.default.removeItem(at: cache) }
      let options = CoreMLOptions(artifact: artifact, cacheFolder: cache)
      var encoder = try await CoreMLEncoder(bundle: bundle, options: options)
      var comparator = try await CoreMLComparator(bundle: bundle, options: options)
      #expect(try FileManager.default.contentsOfDirectory(atPath: cache.path).count == 2)
      let engine = "coreml \(["": "fp32", "_fp16": "fp16", "_int8": "int8"][artifact.rawValue] ?? "")"
      let parity = try #require(bundle.manifest["parity"]?.items?.first { $0["engine"]?.text == engine })
      let golden = try JSONValue(parsing: [UInt8](Data(contentsOf: folder.appendingPathComponent("golden.json"))))
      let beats = try #require(golden["beats"]?.items)
      #expect(!beats.isEmpty)
      var embedding: [Float] = []
      var logits: [Float] = []
      for beat in beats {
        try encoder.encode(Self.numbers(beat["beat"]).map { Float($0) }, into: &embedding)
        try comparator.compare(embedding, with: bundle.references, into: &logits)
        let embeddingError = Self.distance(embedding, Self.numbers(beat["embedding"]))
        let logitError = Self.distance(logits, Self.numbers(beat["logits"]))
        #expect(embeddingError <= max(1e-4, 2 * (parity["embedding_max_abs"]?.double ?? 0)))
        #expect(logitError <= max(1e-3, 2 * (parity["logit_max_abs"]?.double ?? 0)))
      }
    }

    private static func numbers(_ json: JSONValue?) -> [Double] { json?.items?.compactMap(\.double) ?? [] }

    private static func distance(_ got: [Float], _ wanted: [Double]) -> Double {
      got.count == wanted.count ? zip(got, wanted).reduce(0) { max($0, abs(Double($1.0) - $1.1)) } : .infinity
    }
  }
#else
  @Suite struct CoreMLTests {
    @Test(.disabled("no Core ML on this platform: its engines were NOT run"))
    func goldenVectorsFollowTheModel() {}
  }
#endif
