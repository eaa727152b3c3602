/// A program made ready for one number of references: every shape checked, every value with its place in memory.
///
/// After this, nothing is left to check: a step touches only memory that the plan reserved for it.
struct PortablePlan: Sendable {
  static let mostNumbers = 4_000_000  // 16 MB; the bundles that exist need some 20,000
  static let mostWork = 1_000_000_000  // multiply-adds; below a second on a watch

  let steps: [PortableStep]
  let inputs: [Range<Int>]
  let output: PortableValue
  /// All weights, which copies of a plan share.
  let weights: [Float]
  /// How many numbers a run needs beside them: the values, then from `scratch` on the columns of convolutions.
  let valueCount: Int
  let scratch: Int

  init(_ program: PortableProgram, references: Int) throws(EdgeECGError) {
    var planner = PortablePlanner(program, references: references)
    inputs = try program.inputs.map { input throws(EdgeECGError) -> Range<Int> in
      let value = try planner.define(input.name, shape: input.shape.map { $0.resolved(references) })
      return value.place.offset..<value.place.offset + value.count
    }
    for layer in program.layers { try planner.add(layer) }
    output = try planner.value(program.output)
    steps = planner.steps
    scratch = try planner.reserve(planner.scratchCount).offset
    weights = planner.weights
    valueCount = planner.valueCount
  }
}

/// Where an array begins: among the weights, or among the values of a run.
struct PortablePlace: Sendable {
  let offset: Int
  let isWeight: Bool

  func advanced(by count: Int) -> PortablePlace { PortablePlace(offset: offset + count, isWeight: isWeight) }
}

/// An array in the plan's memory.
struct PortableValue: Sendable {
  let place: PortablePlace
  let shape: [Int]

  var count: Int { shape.reduce(1, *) }
}

/// Builds a ``PortablePlan``, layer by layer.
struct PortablePlanner {
  private let program: PortableProgram
  let references: Int
  private var values: [String: PortableValue] = [:]
  private(set) var steps: [PortableStep] = []
  private(set) var weights: [Float] = []
  private(set) var valueCount = 0
  private(set) var scratchCount = 0
  private var work = 0

  init(_ program: PortableProgram, references: Int) {
    self.program = program
    self.references = references
  }

  /// Place for `count` more numbers.
  mutating func reserve(_ count: Int) throws(EdgeECGError) -> PortablePlace {
    try requirePlace(for: count)
    defer { valueCount += count }
    return PortablePlace(offset: valueCount, isWeight: false)
  }

  private mutating func keep(_ numbers: [Float], shape: [Int]) throws(EdgeECGError) -> PortableValue {
    try requirePlace(for: numbers.count)
    defer { weights += numbers }
    return PortableValue(place: PortablePlace(offset: weights.count, isWeight: true), shape: shape)
  }

  private func requirePlace(for count: Int) throws(EdgeECGError) {
    guard count <= PortablePlan.mostNumbers - valueCount - weights.count else {
      throw EdgeECGError.bundle("the portable \(program.name) needs more than \(PortablePlan.mostNumbers) numbers")
    }
  }

  mutating func reserveScratch(_ count: Int) { scratchCount = max(scratchCount, count) }

  /// Counts multiply-adds, so that no bundle can keep a watch busy for long.
  mutating func count(work factors: Int...) throws(EdgeECGError) {
    work += try Self.product(factors, most: PortablePlan.mostWork, program.name)
    guard work <= PortablePlan.mostWork else {
      throw EdgeECGError.bundle("the portable \(program.name) needs more than \(PortablePlan.mostWork) multiply-adds")
    }
  }

  /// A new array by that name.
  mutating func define(_ name: String, shape: [Int]) throws(EdgeECGError) -> PortableValue {
    try define(name, PortableValue(place: try reserve(count(of: shape)), shape: shape))
  }

  /// Numbers in an array of that shape, which a bundle may have made up.
  func count(of shape: [Int]) throws(EdgeECGError) -> Int {
    try Self.product(shape, most: PortablePlan.mostNumbers, program.name)
  }

  /// That array under a new name.
  @discardableResult
  mutating func define(_ name: String, _ value: PortableValue) throws(EdgeECGError) -> PortableValue {
    guard values.updateValue(value, forKey: name) == nil else {
      throw EdgeECGError.bundle("the portable \(program.name) defines \(shown(name)) twice")
    }
    return value
  }

  /// The array of that name; a weight is kept when it is first asked for.
  mutating func value(_ name: String) throws(EdgeECGError) -> PortableValue {
    if let value = values[name] { return value }
    let (shape, numbers) = try tensor(name)
    return try define(name, keep(numbers, shape: shape))
  }

  /// A single number.
  mutating func constant(_ number: Float) throws(EdgeECGError) -> PortableValue {
    try keep([number], shape: [])
  }

  /// A weight (O, I) with its axes changed, for the product that runs over its rows.
  mutating func transposed(_ name: String) throws(EdgeECGError) -> PortableValue {
    let key = "\(name) transposed"
    if let value = values[key] { return value }
    let (shape, numbers) = try tensor(name)
    guard shape.count == 2 else {
      throw EdgeECGError.bundle("tensor \(shown(name)) has shape \(shown(shape)), linear wants (O, I)")
    }
    let flipped = (0..<numbers.count).map { numbers[$0 % shape[0] * shape[1] + $0 / shape[0]] }
    return try define(key, keep(flipped, shape: [shape[1], shape[0]]))
  }

  mutating func add(_ step: PortableStep) { steps.append(step) }

  /// The numbers of a weight.
  func numbers(of weight: PortableValue) -> ArraySlice<Float>? {
    weight.place.isWeight ? weights[weight.place.offset..<weight.place.offset + weight.count] : nil
  }

  private func tensor(_ name: String) throws(EdgeECGError) -> (shape: [Int], values: [Float]) {
    guard program.tensors.entries[name] != nil else {
      throw EdgeECGError.bundle("the portable \(program.name) uses \(shown(name)), which is not there yet")
    }
    let tensor = try program.tensors.dequantizedFloats(name)
    guard tensor.shape.allSatisfy({ $0 > 0 }) else {
      throw EdgeECGError.bundle("tensor \(shown(name)) has shape \(shown(tensor.shape)), expected no empty one")
    }
    return tensor
  }

  private static func product(_ factors: [Int], most: Int, _ name: String) throws(EdgeECGError) -> Int {
    var product = 1
    for factor in factors {
      let (next, overflow) = product.multipliedReportingOverflow(by: factor)
      guard !overflow, next <= most else {
        throw EdgeECGError.bundle("the portable \(name) has an array or a step beyond \(most)")
      }
      product = next
    }
    return product
  }
}
