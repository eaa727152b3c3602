/// A bundle, verified and ready to judge, with engines of types that are known.
package struct BundleParts<Encoder: ECGEncoder, Comparator: ECGComparator>: Sendable {
  /// Where it came from, as the user gave it.
  package let source: String
  package let manifest: JSONValue
  package let contract: Contract
  package let rule: DecisionRule
  package let guards: GuardLimits?
  package let intendedUse: String
  /// Whether its references were moved already.
  package let isEnrolled: Bool
  package var encoder: Encoder
  package var comparator: Comparator
  package var references: ECGReferences

  /// The same with other engines.
  package func with<E: ECGEncoder, C: ECGComparator>(encoder: E, comparator: C) -> BundleParts<E, C> {
    BundleParts<E, C>(
      source: source, manifest: manifest, contract: contract, rule: rule, guards: guards, intendedUse: intendedUse,
      isEnrolled: isEnrolled, encoder: encoder, comparator: comparator, references: references)
  }
}

/// What a bundle opens with: engines that run everywhere.
package typealias PortableParts = BundleParts<PortableEncoder, PortableComparator>

extension BundleParts where Encoder == PortableEncoder, Comparator == PortableComparator {
  /// Verifies and reads a file that `edge-ecg pack` wrote.
  /// - Throws: as ``init(verifying:source:)``, and ``EdgeECGError/alteredBundle(_:)`` for what is no such file.
  package init(packed content: [UInt8], source: String) throws(EdgeECGError) {
    try self.init(verifying: PackedFiles(content, name: source), source: source)
    guard manifest[Manifest.packedFrom] != nil else {
      throw EdgeECGError.bundle("\(source): the manifest has no entry '\(Manifest.packedFrom)'")
    }
  }

  /// Verifies and reads the files of a bundle.
  /// - Throws: ``EdgeECGError/bundle(_:)`` on anything missing or unsafe, ``EdgeECGError/alteredBundle(_:)`` on what is
  ///   not as it was written, ``EdgeECGError/bundleVersion(_:)`` on another schema.
  package init(verifying files: some BundleSource, source: String) throws(EdgeECGError) {
    let verified = try VerifiedFiles(files, source, keeping: Self.files)
    do throws(EdgeECGError) {
      try self.init(manifest: verified.manifest, source: source) { verified.kept[$0] ?? [] }
    } catch {
      throw EdgeECGError.bundle("\(source): \(error.message)")
    }
  }

  /// Reads what is verified already.
  /// - Parameter content: the content of one of ``files``.
  /// - Throws: ``EdgeECGError`` for entries that are missing or of another version, and for parts that do not fit.
  package init(
    manifest: JSONValue, source: String, content: (String) throws(EdgeECGError) -> [UInt8]
  ) throws(EdgeECGError) {
    let read = try Manifest(manifest)
    self.source = source
    self.manifest = manifest
    (intendedUse, contract, isEnrolled) = (read.intendedUse, read.contract, read.isEnrolled)
    guards = read.guards
    rule = DecisionRule(labels: read.labels, levels: read.levels, constants: contract.voting)
    references = try ECGReferences(safetensors: content(Self.referencesFile))
    let form = try PortableForm(layers: content(PortableForm.layersFile), weights: content(PortableForm.weightsFile))
    encoder = try PortableEncoder(form.encoder, beatLength: contract.beatLength)
    guard references.embeddingLength == encoder.embeddingLength else {
      throw EdgeECGError.contract(
        "references have \(references.embeddingLength) numbers each, the encoder gives \(encoder.embeddingLength)")
    }
    comparator = try PortableComparator(
      form.comparator, embeddingLength: encoder.embeddingLength, references: references.count)
  }

  /// What is read of a bundle beside its manifest.
  private static var files: [String] { [PortableForm.layersFile, PortableForm.weightsFile, referencesFile] }
  static var referencesFile: String { "references.safetensors" }
}
