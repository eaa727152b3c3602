/// A plan with values of its own: run, it allocates nothing. Copies share the weights.
struct PortableEngine: Sendable {
  private let plan: PortablePlan
  private var values: [Float] = []  // made by the first run: a bundle, of which watches run copies, holds none

  init(_ program: PortableProgram, references: Int) throws(EdgeECGError) {
    plan = try PortablePlan(program, references: references)
  }

  var outputShape: [Int] { plan.output.shape }

  mutating func set(_ input: Int, to values: [Float]) {
    if self.values.isEmpty { self.values = [Float](repeating: 0, count: plan.valueCount) }
    self.values.replaceSubrange(plan.inputs[input], with: values)
  }

  mutating func run(into output: inout [Float]) {
    output.removeAll(keepingCapacity: true)
    plan.weights.withUnsafeBufferPointer { weights in
      values.withUnsafeMutableBufferPointer { values in
        guard let values = values.baseAddress else { return }
        // Without weights there is no place among them, and any address will do.
        let memory = PortableMemory(
          weights: weights.baseAddress ?? UnsafePointer(values), values: values, scratch: values + plan.scratch)
        plan.steps.withUnsafeBufferPointer { steps in  // an array's iterator would copy each
          for index in steps.indices { steps[index].run(memory) }
        }
        output.append(contentsOf: UnsafeBufferPointer(start: memory[plan.output.place], count: plan.output.count))
      }
    }
  }
}

/// The bundle's encoder in plain Swift: no Core ML, no allocation once it has run.
package struct PortableEncoder: ECGEncoder {
  private var engine: PortableEngine

  /// Numbers in a beat.
  package let beatLength: Int
  /// Numbers in an embedding.
  package let embeddingLength: Int

  init(_ program: PortableProgram, beatLength: Int) throws(EdgeECGError) {
    engine = try PortableEngine(program, references: 1)
    guard program.inputShapes == [[.fixed(1), .fixed(beatLength)]], engine.outputShape.count == 2,
      engine.outputShape[0] == 1
    else {
      throw EdgeECGError.contract(
        "portable encoder gives \(shown(engine.outputShape)), "
          + "the contract wants beat [1, \(beatLength)] -> embedding [1, D]")
    }
    self.beatLength = beatLength
    embeddingLength = engine.outputShape[1]
  }

  /// Writes the embedding of a beat into `embedding`.
  /// - Throws: ``EdgeECGError/contract(_:)`` for a beat of another length.
  package mutating func encode(_ beat: [Float], into embedding: inout [Float]) throws(EdgeECGError) {
    guard beat.count == beatLength else {
      throw EdgeECGError.contract("beat has \(beat.count) numbers, the encoder takes \(beatLength)")
    }
    engine.set(0, to: beat)
    engine.run(into: &embedding)
  }
}

/// The bundle's comparator in plain Swift: no allocation once it has run on as many references.
package struct PortableComparator: ECGComparator {
  /// The most references that one embedding is compared with.
  package static let mostReferences = 512

  private let program: PortableProgram
  private var engine: PortableEngine
  private var references: Int

  /// Numbers in an embedding.
  package let embeddingLength: Int

  init(_ program: PortableProgram, embeddingLength: Int, references: Int) throws(EdgeECGError) {
    try Self.require(references)
    self.program = program
    self.references = references
    engine = try PortableEngine(program, references: references)
    let wanted: [[PortableProgram.Size]] = [
      [.fixed(1), .fixed(embeddingLength)], [.references, .fixed(embeddingLength)],
    ]
    guard program.inputShapes == wanted, engine.outputShape == [references] else {
      throw EdgeECGError.contract(
        "portable comparator gives \(shown(engine.outputShape)) for \(references) references, the contract wants "
          + "embedding [1, \(embeddingLength)], references [R, \(embeddingLength)] -> logit [R]")
    }
    self.embeddingLength = embeddingLength
  }

  /// Writes one logit of "different states" for each reference into `logits`.
  /// - Throws: ``EdgeECGError/contract(_:)`` for embeddings of another length or too many references.
  package mutating func compare(
    _ embedding: [Float], with references: ECGReferences, into logits: inout [Float]
  ) throws(EdgeECGError) {
    guard embedding.count == embeddingLength, references.embeddingLength == embeddingLength else {
      throw EdgeECGError.contract(
        "embedding has \(embedding.count) numbers and references have \(references.embeddingLength), "
          + "the comparator takes \(embeddingLength)")
    }
    try Self.require(references.count)
    if references.count != self.references {
      engine = try PortableEngine(program, references: references.count)
      self.references = references.count
    }
    engine.set(0, to: embedding)
    engine.set(1, to: references.embeddings)
    engine.run(into: &logits)
  }

  private static func require(_ references: Int) throws(EdgeECGError) {
    guard (1...mostReferences).contains(references) else {
      throw EdgeECGError.contract("\(references) references, expected 1 to \(mostReferences)")
    }
  }
}
