import Foundation

/// A verified bundle, ready to judge beats: everything a device needs of one person's comparator.
///
/// A folder with `manifest.json`, which holds the contract and the size and SHA-256 of every other file, or the few
/// files that a device needs in one, as `edge-ecg pack` writes it. Nothing in it can run code: JSON and safetensors
/// here, Core ML and ONNX for others. `Bundle` in Python; Foundation has a `Bundle` already.
public struct ECGBundle: Sendable {
  /// The manifest's schema that this package reads.
  public static let schemaVersion = Manifest.schemaVersion

  /// The folder that it was opened from; nothing for a packed bundle.
  public let folder: URL?
  var parts: BundleParts<AnyEncoder, AnyComparator>

  /// Opens and verifies a bundle: a folder, or a file that `edge-ecg pack` wrote.
  /// - Throws: ``EdgeECGError/bundle(_:)`` on anything missing or unsafe, ``EdgeECGError/alteredBundle(_:)`` on what is
  ///   not as it was written, ``EdgeECGError/bundleVersion(_:)`` on another schema.
  public init(contentsOf url: URL) throws(EdgeECGError) {
    guard let path = url.filePath else { throw EdgeECGError.bundle("\(url): is no URL of a file or folder") }
    if BundleFiles.isFolder(path) {
      try self.init(PortableParts(verifying: BundleFiles(folder: path), source: path), folder: url)
    } else {
      let content = try BundleFiles.contents(of: path, most: Manifest.mostFileBytes)
      try self.init(PortableParts(packed: content, source: path), folder: nil)
    }
  }

  /// Opens and verifies the content of a file that `edge-ecg pack` wrote.
  /// - Throws: as ``init(contentsOf:)`` does.
  public init(data: some DataProtocol) throws(EdgeECGError) {
    try self.init(PortableParts(packed: [UInt8](data), source: "packed bundle"), folder: nil)
  }

  private init(_ parts: PortableParts, folder: URL?) {
    self.folder = folder
    self.parts = parts.with(
      encoder: AnyEncoder(engine: parts.encoder), comparator: AnyComparator(engine: parts.comparator))
  }

  /// Where it came from, as the user gave it.
  public var source: String { parts.source }
  /// All that is known of the bundle. Of a whole one: training facts, metrics with intervals, parity, tool versions.
  package var manifest: JSONValue { parts.manifest }
  /// The numbers that the bundle was made with.
  package var contract: Contract { parts.contract }
  /// The two states.
  public var labels: ECGLabels { rule.labels }
  /// What turns votes into decisions.
  package var rule: DecisionRule { parts.rule }
  /// What the bundle is for, and what it is not.
  public var intendedUse: String { parts.intendedUse }

  /// Beat to embedding.
  public var encoder: any ECGEncoder {
    get { parts.encoder.engine }
    set { parts.encoder.engine = newValue }
  }

  /// Embedding and references to logits.
  public var comparator: any ECGComparator {
    get { parts.comparator.engine }
    set { parts.comparator.engine = newValue }
  }

  /// What beats are compared with.
  public var references: ECGReferences {
    get { parts.references }
    set { parts.references = newValue }
  }

  /// The same bundle, judging by other references.
  public func replacingReferences(with references: ECGReferences) -> ECGBundle {
    var bundle = self
    bundle.references = references
    return bundle
  }

  /// The manifest's name for a file's content: the SHA-256 that it was verified by.
  package func hash(ofFile name: String) -> String? {
    manifest["files"]?[name]?["sha256"]?.text
  }
}

extension ECGDayBaseline {
  static let enoughBeats = 10  // more add little, and fewer serve

  /// The level of some recordings. It judges each of them, which takes as long as their replays: not for the main actor.
  /// - Throws: ``EdgeECGError/recording(_:)`` for a recording that can't be used, for recordings of two days, and for
  ///   none at all.
  public init(bundle: ECGBundle, recordings: [ECGRecording]) throws(EdgeECGError) {
    try self.init(bundle.parts, recordings: recordings)
  }
}

extension ECGEnrollment {
  /// What baseline recordings say of the level.
  /// - Throws: ``EdgeECGError/bundle(_:)`` if the bundle does not say what training has seen,
  ///   ``EdgeECGError/recording(_:)`` if no recording can be used, or those of fewer than three dates.
  public init(bundle: ECGBundle, recordings: [ECGRecording]) throws(EdgeECGError) {
    try self.init(bundle.parts, recordings: recordings)
  }
}

/// The engine that a bundle has at the time.
struct AnyEncoder: ECGEncoder {
  var engine: any ECGEncoder

  var beatLength: Int { engine.beatLength }
  var embeddingLength: Int { engine.embeddingLength }

  mutating func encode(_ beat: [Float], into embedding: inout [Float]) throws(EdgeECGError) {
    try engine.encode(beat, into: &embedding)
  }
}

struct AnyComparator: ECGComparator {
  var engine: any ECGComparator

  var embeddingLength: Int { engine.embeddingLength }

  mutating func compare(
    _ embedding: [Float], with references: ECGReferences, into logits: inout [Float]
  ) throws(EdgeECGError) {
    try engine.compare(embedding, with: references, into: &logits)
  }
}
