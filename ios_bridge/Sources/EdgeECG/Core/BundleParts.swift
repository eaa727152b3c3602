/// What a verified manifest and the files of a bundle say, made ready to judge.
struct BundleParts: Sendable {
  let contract: Contract
  let rule: DecisionRule
  let encoder: PortableEncoder
  let comparator: PortableComparator
  let references: ReferenceBank

  /// - Throws: ``EdgeECGError`` for entries that are missing or of another version, and for parts that do not fit.
  init(manifest: JSONValue, layers: [UInt8], weights: [UInt8], references content: [UInt8]) throws(EdgeECGError) {
    guard let names = manifest["labels"]?.items, names.count == 2, let baseline = names[0].text,
      let target = names[1].text, baseline != target
    else { throw EdgeECGError.contract("labels are not two different names") }
    guard let contractEntry = manifest["contract"] else {
      throw EdgeECGError.contract("the manifest has no entry 'contract'")
    }
    guard let levels = manifest["levels"] else {
      throw EdgeECGError.contract("the manifest has no entry 'levels'")
    }
    contract = try Contract(contractEntry)
    rule = DecisionRule(
      labels: Labels(baseline: baseline, target: target), levels: try Levels(levels), constants: contract.voting)
    references = try ReferenceBank(safetensors: content)
    let form = try PortableForm(layers: layers, weights: weights)
    encoder = try PortableEncoder(form.encoder, beatLength: contract.beatLength)
    guard references.embeddingLength == encoder.embeddingLength else {
      throw EdgeECGError.contract(
        "references have \(references.embeddingLength) numbers each, the encoder gives \(encoder.embeddingLength)")
    }
    comparator = try PortableComparator(
      form.comparator, embeddingLength: encoder.embeddingLength, references: references.count)
  }
}
