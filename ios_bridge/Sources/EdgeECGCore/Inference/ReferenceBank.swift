/// The reference bank: embeddings of labeled beats that every new beat is compared with.
public struct ECGReferences: Hashable, Sendable {
  /// The embeddings one after the other, ``count`` times ``embeddingLength`` numbers.
  public let embeddings: [Float]
  /// Numbers in an embedding.
  public let embeddingLength: Int
  /// For each reference: is the beat from the target state?
  public let isTarget: [Bool]
  /// What training has seen; a bank without it judges every beat.
  package let distribution: TrainingDistribution?

  /// How many references there are.
  public var count: Int { isTarget.count }
  /// References of the target state.
  public let targetCount: Int
  /// References of the baseline.
  public var baselineCount: Int { count - targetCount }

  /// - Throws: ``EdgeECGError/bundle(_:)`` unless the sizes fit, all numbers are finite and both states are there.
  package init(embeddings: [Float], embeddingLength: Int, isTarget: [Bool], distribution: TrainingDistribution? = nil)
    throws(EdgeECGError)
  {
    let (size, overflow) = isTarget.count.multipliedReportingOverflow(by: embeddingLength)
    guard !overflow, embeddingLength > 0, size == embeddings.count, isTarget.contains(true), isTarget.contains(false)
    else {
      throw EdgeECGError.bundle(
        "references are \(embeddings.count) numbers with \(isTarget.count) labels, "
          + "expected (R, \(embeddingLength)) beats of both states")
    }
    guard embeddings.allSatisfy({ $0.isFinite }) else {
      throw EdgeECGError.bundle("references hold NaN or infinity, expected finite numbers")
    }
    self.embeddings = embeddings
    self.embeddingLength = embeddingLength
    self.isTarget = isTarget
    self.distribution = distribution
    targetCount = isTarget.count { $0 }
  }

  /// Reads what ``safetensors`` gives, or Python's `ReferenceBank.to_bytes`, or int8 embeddings with scales.
  package init(safetensors content: [UInt8]) throws(EdgeECGError) {
    do throws(EdgeECGError) {
      let file = try Safetensors(content)
      let (shape, values) = try file.dequantizedFloats("embeddings")
      let (labels, isTarget) = try file.unsignedBytes("is_target")
      guard shape.count == 2, labels.count == 1, shape[0] == isTarget.count else {
        throw EdgeECGError.bundle("\(shown(shape)) with \(shown(labels)) labels, expected (R, D) beats of both states")
      }
      try self.init(
        embeddings: values, embeddingLength: shape[1], isTarget: isTarget.map { $0 != 0 },
        distribution: try TrainingDistribution(file, length: shape[1]))
    } catch {
      throw EdgeECGError.bundle(
        begins(error.message, with: "references") ? error.message : "references are \(error.message)")
    }
  }

  /// The bank as a safetensors file.
  package var safetensors: [UInt8] {
    Safetensors.write(
      floats: [("embeddings", [count, embeddingLength], embeddings)] + (distribution?.tensors ?? []),
      bytes: [("is_target", isTarget.map { $0 ? 1 : 0 })])
  }

  /// The same bank, all of it `by` (one embedding) further on: what enrollment does.
  /// - Throws: ``EdgeECGError/bundle(_:)`` for a step of another length or one that is not finite.
  func moved(by: [Double], distribution: TrainingDistribution) throws(EdgeECGError) -> ECGReferences {
    guard by.count == embeddingLength else {
      throw EdgeECGError.bundle("references have \(embeddingLength) numbers each, the step has \(by.count)")
    }
    let moved = embeddings.indices.map { Float(Double(embeddings[$0]) + by[$0 % embeddingLength]) }
    return try ECGReferences(
      embeddings: moved, embeddingLength: embeddingLength, isTarget: isTarget, distribution: distribution)
  }
}
