/// A one-dimensional convolution of (batch, groups x inChannels, inLength) to (batch, groups x outChannels, outLength).
struct Convolution: Sendable {
  let x: PortablePlace
  let weight: PortablePlace
  let bias: PortablePlace?
  let y: Int
  let batch: Int
  let groups: Int
  let inChannels: Int  // of a group
  let outChannels: Int
  let inLength: Int
  let outLength: Int
  let taps: Int
  let stride: Int
  let before: Int  // zeros before x
  let isPlain: Bool  // one tap, no stride, no padding: the columns are x itself
  let picks: [Int]?  // the row of columns that each output channel is, where the kernels only move samples

  /// A matrix product for each group: its kernels times the columns of samples that each output sees.
  func run(_ memory: PortableMemory) {
    let rows = inChannels * taps
    for image in 0..<batch {
      for group in 0..<groups {
        let source = memory[x] + (image * groups + group) * inChannels * inLength
        let target = memory.values + y + (image * groups + group) * outChannels * outLength
        for channel in 0..<outChannels {
          let start = bias.map { memory[$0][group * outChannels + channel] } ?? 0
          (target + channel * outLength).update(repeating: start, count: outLength)
        }
        if let picks {
          for channel in 0..<outChannels {
            addRow(ofColumns: picks[group * outChannels + channel], source, to: target + channel * outLength)
          }
          continue
        }
        if !isPlain {
          for row in 0..<rows {
            (memory.scratch + row * outLength).update(repeating: 0, count: outLength)
            addRow(ofColumns: row, source, to: memory.scratch + row * outLength)
          }
        }
        addProduct(
          memory[weight] + group * outChannels * rows, isPlain ? source : UnsafePointer(memory.scratch), to: target,
          rows: outChannels, inner: rows, columns: outLength)
      }
    }
  }

  /// Row (channel, tap) of the columns: the sample that this tap meets at each output, or nothing beyond the ends.
  private func addRow(
    ofColumns row: Int, _ source: UnsafePointer<Float>, to target: UnsafeMutablePointer<Float>
  ) {
    let shift = row % taps - before
    let first = min(shift >= 0 ? 0 : (stride - 1 - shift) / stride, outLength)
    let last = shift >= inLength ? first : max(min((inLength - 1 - shift) / stride + 1, outLength), first)
    let samples = source + row / taps * inLength
    for at in first..<last { target[at] += samples[at * stride + shift] }
  }
}

private typealias Lanes = SIMD8<Float>
private typealias HalfLanes = SIMD4<Float>

@inline(__always)
private func load<L: SIMD>(_ pointer: UnsafePointer<Float>, as lanes: L.Type = Lanes.self) -> L {
  UnsafeRawPointer(pointer).loadUnaligned(as: L.self)
}

@inline(__always)
private func store<L: SIMD>(_ lanes: L, _ pointer: UnsafeMutablePointer<Float>) {
  UnsafeMutableRawPointer(pointer).storeBytes(of: lanes, as: L.self)
}

/// c (rows, columns) += a (rows, inner) b (inner, columns), all row-major.
///
/// Four rows by eight columns stay in registers, then by four; a single row takes 32 columns at a time. The order of additions
/// in each output is that of `inner`, so that any tiling gives the same bits.
func addProduct(
  _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, to c: UnsafeMutablePointer<Float>, rows: Int, inner: Int,
  columns: Int
) {
  var row = 0
  while row + 4 <= rows {
    let (rowsOfA, rowsOfC) = (a + row * inner, c + row * columns)
    var column = 0
    while column + 8 <= columns {
      addFourRows(Lanes.self, rowsOfA, b + column, to: rowsOfC + column, inner: inner, columns: columns)
      column += 8
    }
    if column + 4 <= columns {
      addFourRows(HalfLanes.self, rowsOfA, b + column, to: rowsOfC + column, inner: inner, columns: columns)
      column += 4
    }
    for rest in 0..<4 {
      addRow(rowsOfA + rest * inner, b, to: rowsOfC + rest * columns, inner: inner, columns: columns, from: column)
    }
    row += 4
  }
  while row < rows {
    addRow(a + row * inner, b, to: c + row * columns, inner: inner, columns: columns, from: 0)
    row += 1
  }
}

/// As many columns of four rows as there are lanes.
@inline(__always)
private func addFourRows<L: SIMD>(
  _: L.Type, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, to c: UnsafeMutablePointer<Float>, inner: Int,
  columns: Int
) where L.Scalar == Float {
  let (a1, a2, a3) = (a + inner, a + 2 * inner, a + 3 * inner)
  var c0 = load(c, as: L.self)
  var c1 = load(c + columns, as: L.self)
  var c2 = load(c + 2 * columns, as: L.self)
  var c3 = load(c + 3 * columns, as: L.self)
  var source = b
  for k in 0..<inner {
    let lanes = load(source, as: L.self)
    c0 += a[k] * lanes
    c1 += a1[k] * lanes
    c2 += a2[k] * lanes
    c3 += a3[k] * lanes
    source += columns
  }
  store(c0, c)
  store(c1, c + columns)
  store(c2, c + 2 * columns)
  store(c3, c + 3 * columns)
}

private func addRow(
  _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, to c: UnsafeMutablePointer<Float>, inner: Int, columns: Int,
  from first: Int
) {
  var column = first
  while column + 32 <= columns {
    let target = c + column
    var (c0, c1, c2, c3) = (load(target), load(target + 8), load(target + 16), load(target + 24))
    var source = b + column
    for k in 0..<inner {
      let factor = a[k]
      c0 += factor * load(source)
      c1 += factor * load(source + 8)
      c2 += factor * load(source + 16)
      c3 += factor * load(source + 24)
      source += columns
    }
    store(c0, target)
    store(c1, target + 8)
    store(c2, target + 16)
    store(c3, target + 24)
    column += 32
  }
  while column + 8 <= columns {
    addLanes(Lanes.self, a, b + column, to: c + column, inner: inner, columns: columns)
    column += 8
  }
  if column + 4 <= columns {
    addLanes(HalfLanes.self, a, b + column, to: c + column, inner: inner, columns: columns)
    column += 4
  }
  while column < columns {
    var number = c[column]
    for k in 0..<inner { number += a[k] * b[k * columns + column] }
    c[column] = number
    column += 1
  }
}

/// As many columns of a row as there are lanes.
@inline(__always)
private func addLanes<L: SIMD>(
  _: L.Type, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, to c: UnsafeMutablePointer<Float>, inner: Int,
  columns: Int
) where L.Scalar == Float {
  var lanes = load(c, as: L.self)
  var source = b
  for k in 0..<inner {
    lanes += a[k] * load(source, as: L.self)
    source += columns
  }
  store(lanes, c)
}

/// The sum in eight lanes: quicker than one by one, and nearer to the truth.
func sum(_ x: UnsafePointer<Float>, _ count: Int) -> Float {
  var lanes = Lanes.zero
  var index = 0
  while index + 8 <= count {
    lanes += load(x + index)
    index += 8
  }
  var sum = lanes.sum()
  while index < count {
    sum += x[index]
    index += 1
  }
  return sum
}
