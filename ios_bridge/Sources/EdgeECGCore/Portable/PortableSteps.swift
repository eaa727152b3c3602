/// A function of one number.
enum PortableUnary: String, Sendable {
  case relu, sigmoid, silu, tanh, abs, sqrt, exp, floor
}

/// A function of two numbers; `first` copies.
enum PortableBinary: String, Sendable {
  case add, sub, mul, div, maximum, minimum, first
}

/// The memory of one run: what a step reads by its place, and the values that it writes.
struct PortableMemory {
  let weights: UnsafePointer<Float>
  let values: UnsafeMutablePointer<Float>
  let scratch: UnsafeMutablePointer<Float>

  subscript(place: PortablePlace) -> UnsafePointer<Float> {
    (place.isWeight ? weights : UnsafePointer(values)) + place.offset
  }
}

/// One step of a plan: the places that it reads, then the offset of the values that it writes, then sizes.
enum PortableStep: Sendable {
  case convolution(Convolution)
  case linear(PortablePlace, PortablePlace, PortablePlace?, Int, rows: Int, inputs: Int, outputs: Int)
  case averagePool(PortablePlace, Int, rows: Int, inLength: Int, outLength: Int, kernel: Int, stride: Int)
  case mean(PortablePlace, Int, outer: Int, count: Int, inner: Int)
  case copy(PortablePlace, Int, rows: Int, count: Int, fromStride: Int, toStride: Int)
  case gather(PortablePlace, PortablePlace, Int, rows: Int, inLength: Int, outLength: Int)
  case unary(PortableUnary, PortablePlace, Int, Int)
  case binary(PortableBinary, PortablePlace, PortablePlace, Int, Broadcast)

  /// Computes the step. The memory is as large as the plan says.
  func run(_ memory: PortableMemory) {
    switch self {
    case .convolution(let convolution):
      convolution.run(memory)
    case .linear(let x, let weight, let bias, let y, let rows, let inputs, let outputs):
      let target = memory.values + y
      for row in 0..<rows {
        if let bias {
          (target + row * outputs).update(from: memory[bias], count: outputs)
        } else {
          (target + row * outputs).update(repeating: 0, count: outputs)
        }
      }
      addProduct(memory[x], memory[weight], to: target, rows: rows, inner: inputs, columns: outputs)
    case .averagePool(let x, let y, let rows, let inLength, let outLength, let kernel, let stride):
      for row in 0..<rows {
        for at in 0..<outLength {
          let window = memory[x] + row * inLength + at * stride
          memory.values[y + row * outLength + at] = sum(window, kernel) / Float(kernel)
        }
      }
    case .mean(let x, let y, let outer, let count, let inner):
      averageMiddleAxis(memory[x], memory.values + y, outer: outer, count: count, inner: inner)
    case .copy(let from, let to, let rows, let count, let fromStride, let toStride):
      for row in 0..<rows {
        (memory.values + to + row * toStride).update(from: memory[from] + row * fromStride, count: count)
      }
    case .gather(let x, let places, let y, let rows, let inLength, let outLength):
      for row in 0..<rows {
        let source = memory[x] + row * inLength
        for at in row * outLength..<(row + 1) * outLength {
          // Beyond either end it is the last number there; no number at all is no place to convert.
          let place = memory[places][at]
          memory.values[y + at] = source[place >= Float(inLength - 1) ? inLength - 1 : place > 0 ? Int(place) : 0]
        }
      }
    case .unary(let function, let x, let y, let count):
      function.run(memory[x], memory.values + y, count)
    case .binary(let function, let a, let b, let y, let broadcast):
      function.run(memory[a], memory[b], memory.values + y, broadcast)
    }
  }
}

extension PortableUnary {
  fileprivate func run(_ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ count: Int) {
    switch self {
    case .relu: each(x, y, count) { $0 > 0 ? $0 : 0 }
    case .abs: each(x, y, count) { $0.magnitude }
    case .sqrt: each(x, y, count) { $0.squareRoot() }
    case .exp: each(x, y, count) { Maths.exp($0) }
    case .floor: each(x, y, count) { $0.rounded(.down) }
    case .tanh: each(x, y, count) { Maths.tanh($0) }
    case .sigmoid: each(x, y, count) { logistic($0) }
    case .silu: each(x, y, count) { $0 * logistic($0) }
    }
  }
}

extension PortableBinary {
  fileprivate func run(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ broadcast: Broadcast
  ) {
    switch self {
    case .add: broadcast.run(a, b, y) { $0 + $1 }
    case .sub: broadcast.run(a, b, y) { $0 - $1 }
    case .mul: broadcast.run(a, b, y) { $0 * $1 }
    case .div: broadcast.run(a, b, y) { $0 / $1 }
    case .maximum: broadcast.run(a, b, y) { $0 > $1 ? $0 : $1 }
    case .minimum: broadcast.run(a, b, y) { $0 < $1 ? $0 : $1 }
    case .first: broadcast.run(a, b, y) { first, _ in first }
    }
  }
}

/// 1 / (1 + exp(-x)), without the overflow.
private func logistic(_ x: Float) -> Float {
  0.5 + 0.5 * Maths.tanh(0.5 * x)
}

@inline(__always)
private func each(
  _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ count: Int, _ function: (Float) -> Float
) {
  for index in 0..<count { y[index] = function(x[index]) }
}

/// Over the middle axis of (outer, count, inner).
private func averageMiddleAxis(
  _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, outer: Int, count: Int, inner: Int
) {
  for row in 0..<outer {
    let source = x + row * count * inner
    if inner == 1 {
      y[row] = sum(source, count) / Float(count)
    } else {
      let target = y + row * inner
      target.update(repeating: 0, count: inner)
      for index in 0..<count {
        for column in 0..<inner { target[column] += source[index * inner + column] }
      }
      for column in 0..<inner { target[column] /= Float(count) }
    }
  }
}

/// How two arrays are read while a third is written row-major, each repeated along its axes of size 1.
struct Broadcast: Sendable {
  private let rowLength: Int
  private let aStep: Int  // 0 or 1 within a row
  private let bStep: Int
  private let aRows: [Int]  // where each row begins
  private let bRows: [Int]

  /// Nothing if the shapes can't be broadcast to `shape`.
  init?(_ a: [Int], _ b: [Int], to shape: [Int]) {
    guard let aStrides = Self.strides(of: a, in: shape), let bStrides = Self.strides(of: b, in: shape) else {
      return nil
    }
    // The longest tail of axes in which both arrays run on, or both stand still, is one row.
    var length = 1
    var steps: (Int, Int)?
    var axis = shape.count
    while axis > 0 {
      let (aStride, bStride) = (aStrides[axis - 1], bStrides[axis - 1])
      if shape[axis - 1] != 1 {
        let here = (aStride == 0 ? 0 : 1, bStride == 0 ? 0 : 1)
        if let steps, steps != here || (here.0 == 1 && aStride != length) || (here.1 == 1 && bStride != length) {
          break
        }
        steps = here
        length *= shape[axis - 1]
      }
      axis -= 1
    }
    rowLength = length
    (aStep, bStep) = steps ?? (1, 1)
    var rows = [(0, 0)]
    for outer in 0..<axis {
      rows = rows.flatMap { row in
        (0..<shape[outer]).map { (row.0 + $0 * aStrides[outer], row.1 + $0 * bStrides[outer]) }
      }
    }
    aRows = rows.map { $0.0 }
    bRows = rows.map { $0.1 }
  }

  /// Steps along each axis of `shape`, 0 where the array is repeated.
  private static func strides(of array: [Int], in shape: [Int]) -> [Int]? {
    guard array.count <= shape.count else { return nil }
    var strides = [Int](repeating: 0, count: shape.count)
    var stride = 1
    for (axis, size) in zip(shape.indices.reversed(), array.reversed()) {
      guard size == shape[axis] || size == 1 else { return nil }
      strides[axis] = size == 1 ? 0 : stride
      stride *= size
    }
    return strides
  }

  @inline(__always)
  fileprivate func run(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>,
    _ function: (Float, Float) -> Float
  ) {
    for row in aRows.indices {
      let (left, right, target) = (a + aRows[row], b + bRows[row], y + row * rowLength)
      switch (aStep, bStep) {
      case (1, 1): for index in 0..<rowLength { target[index] = function(left[index], right[index]) }
      case (1, _): for index in 0..<rowLength { target[index] = function(left[index], right[0]) }
      case (_, 1): for index in 0..<rowLength { target[index] = function(left[0], right[index]) }
      default: for index in 0..<rowLength { target[index] = function(left[0], right[0]) }
      }
    }
  }
}
