/// A program made ready for one number of references: every shape checked, every value with its place in memory.
///
/// After this, nothing is left to check: a step touches only memory that the plan reserved for it.
struct PortablePlan: Sendable {
  static let mostNumbers = 4_000_000  // 16 MB; the bundles that exist need some 20,000
  static let mostWork = 1_000_000_000  // multiply-adds; below a second on a watch

  let steps: [PortableStep]
  let inputs: [Range<Int>]
  let output: Range<Int>
  let outputShape: [Int]
  /// Memory with the weights in place; values come behind them, then the columns of convolutions.
  let memory: [Float]
  let scratch: Int

  init(_ program: PortableProgram, references: Int) throws {
    var planner = PortablePlanner(program, references: references)
    inputs = try program.inputs.map { input in
      try planner.define(input.name, shape: input.shape.map { $0.resolved(references) }).range
    }
    for layer in program.layers { try planner.add(layer) }
    let output = try planner.value(program.output)
    self.output = output.range
    outputShape = output.shape
    steps = planner.steps
    scratch = try planner.reserve(planner.scratchCount)
    var memory = [Float](repeating: 0, count: planner.reserved)
    for (start, values) in planner.constants { memory.replaceSubrange(start..<start + values.count, with: values) }
    self.memory = memory
  }
}

/// An array in the plan's memory.
struct PortableValue: Sendable {
  let start: Int
  let shape: [Int]

  var count: Int { shape.reduce(1, *) }
  var range: Range<Int> { start..<start + count }
}

/// Builds a ``PortablePlan``, layer by layer.
struct PortablePlanner {
  private let program: PortableProgram
  let references: Int
  private var values: [String: PortableValue] = [:]
  private(set) var steps: [PortableStep] = []
  private(set) var constants: [(start: Int, values: [Float])] = []
  private(set) var reserved = 0
  private(set) var scratchCount = 0
  private var work = 0

  init(_ program: PortableProgram, references: Int) {
    self.program = program
    self.references = references
  }

  /// Place for `count` more numbers.
  mutating func reserve(_ count: Int) throws -> Int {
    guard count <= PortablePlan.mostNumbers - reserved else {
      throw EdgeECGError.bundle("the portable \(program.name) needs more than \(PortablePlan.mostNumbers) numbers")
    }
    defer { reserved += count }
    return reserved
  }

  mutating func reserveScratch(_ count: Int) { scratchCount = max(scratchCount, count) }

  /// Counts multiply-adds, so that no bundle can keep a watch busy for long.
  mutating func count(work factors: Int...) throws {
    work += try Self.product(factors, most: PortablePlan.mostWork, program.name)
    guard work <= PortablePlan.mostWork else {
      throw EdgeECGError.bundle("the portable \(program.name) needs more than \(PortablePlan.mostWork) multiply-adds")
    }
  }

  /// A new array by that name.
  mutating func define(_ name: String, shape: [Int]) throws -> PortableValue {
    try define(name, PortableValue(start: try reserve(count(of: shape)), shape: shape))
  }

  /// Numbers in an array of that shape, which a bundle may have made up.
  func count(of shape: [Int]) throws -> Int {
    try Self.product(shape, most: PortablePlan.mostNumbers, program.name)
  }

  /// That array under a new name.
  @discardableResult
  mutating func define(_ name: String, _ value: PortableValue) throws -> PortableValue {
    guard values.updateValue(value, forKey: name) == nil else {
      throw EdgeECGError.bundle("the portable \(program.name) defines \(name.prefix(60)) twice")
    }
    return value
  }

  /// The array of that name; a weight is put into memory when it is first asked for.
  mutating func value(_ name: String) throws -> PortableValue {
    if let value = values[name] { return value }
    let (shape, numbers) = try tensor(name)
    let value = try define(name, shape: shape)
    constants.append((value.start, numbers))
    return value
  }

  /// A single number.
  mutating func constant(_ number: Float) throws -> PortableValue {
    let value = PortableValue(start: try reserve(1), shape: [])
    constants.append((value.start, [number]))
    return value
  }

  /// A weight (O, I) with its axes changed, for the product that runs over its rows.
  mutating func transposed(_ name: String) throws -> PortableValue {
    let key = "\(name) transposed"
    if let value = values[key] { return value }
    let (shape, numbers) = try tensor(name)
    guard shape.count == 2 else {
      throw EdgeECGError.bundle("tensor \(name.prefix(60)) has shape \(shape), linear wants (O, I)")
    }
    let value = try define(key, shape: [shape[1], shape[0]])
    let flipped = (0..<numbers.count).map { numbers[$0 % shape[0] * shape[1] + $0 / shape[0]] }
    constants.append((value.start, flipped))
    return value
  }

  mutating func add(_ step: PortableStep) { steps.append(step) }

  private func tensor(_ name: String) throws -> (shape: [Int], values: [Float]) {
    guard program.tensors.entries[name] != nil else {
      throw EdgeECGError.bundle("the portable \(program.name) uses \(name.prefix(60)), which is not there yet")
    }
    let tensor = try program.tensors.dequantizedFloats(name)
    guard tensor.shape.allSatisfy({ $0 > 0 }) else {
      throw EdgeECGError.bundle("tensor \(name.prefix(60)) has shape \(tensor.shape), expected no empty one")
    }
    return tensor
  }

  private static func product(_ factors: [Int], most: Int, _ name: String) throws -> Int {
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
