/// What each layer means: the shape it must have, and the step that computes it.
extension PortablePlanner {
  /// Adds one layer.
  /// - Throws: ``EdgeECGError/bundle(_:)`` for an unknown op, a shape that does not follow, or too large an array.
  mutating func add(_ layer: PortableProgram.Layer) throws(EdgeECGError) {
    let x = try value(Self.input(0, of: layer))
    switch layer.op {
    case "conv1d": try addConvolution(layer, x)
    case "linear": try addLinear(layer, x)
    case "avg_pool1d": try addAveragePool(layer, x)
    case "mean": try addMean(layer, x)
    case "slice": try addSlice(layer, x)
    case "gather": try addGather(layer, x)
    case "concat": try addConcat(layer, x)
    case "reshape":
      guard try count(of: shape(of: layer)) == x.count else { throw Self.misfit(layer, x) }
      try define(layer.output, PortableValue(place: x.place, shape: shape(of: layer)))
    case "expand":
      let output = try defineOutput(layer, shape: shape(of: layer))
      guard let copies = Broadcast(x.shape, x.shape, to: output.shape) else { throw Self.misfit(layer, x) }
      add(.binary(.first, x.place, x.place, output.place.offset, copies))
    default:
      if let function = PortableUnary(rawValue: layer.op), layer.inputs.count == 1 {
        let output = try defineOutput(layer, shape: x.shape)
        try count(work: output.count)
        add(.unary(function, x.place, output.place.offset, output.count))
      } else if let function = PortableBinary(rawValue: layer.op) {
        try addBinary(function, layer, x)
      } else {
        throw EdgeECGError.bundle("the portable form has ops that are not known: \(shown(layer.op))")
      }
    }
  }

  /// x (N, I, L), weight (O, I / groups, K), bias (O,): correlation, with zeros before and after x.
  private mutating func addConvolution(_ layer: PortableProgram.Layer, _ x: PortableValue) throws(EdgeECGError) {
    let weight = try value(Self.input(1, of: layer))
    let most = PortablePlan.mostNumbers
    let stride = try Self.attribute("stride", of: layer, in: 1...most, default: 1)
    let groups = try Self.attribute("groups", of: layer, in: 1...most, default: 1)
    let padding = try Self.padding(of: layer)
    guard x.shape.count == 3, weight.shape.count == 3, x.shape[1] % groups == 0, weight.shape[0] % groups == 0,
      weight.shape[1] == x.shape[1] / groups, x.count > 0, weight.count > 0
    else { throw Self.misfit(layer, x) }
    let padded = x.shape[2] + padding.before + padding.after
    guard padded >= weight.shape[2] else { throw Self.misfit(layer, x) }
    let length = (padded - weight.shape[2]) / stride + 1
    let output = try defineOutput(layer, shape: [x.shape[0], weight.shape[0], length])
    let rows = weight.shape[1] * weight.shape[2]
    try count(work: output.count, rows)
    let isPlain = weight.shape[2] == 1 && stride == 1 && padded == x.shape[2]
    if !isPlain {
      try count(work: rows, length)
      guard rows * length <= PortablePlan.mostNumbers else { throw Self.misfit(layer, x) }
      reserveScratch(rows * length)
    }
    add(
      .convolution(
        Convolution(
          x: x.place, weight: weight.place, bias: try bias(2, of: layer, count: weight.shape[0]),
          y: output.place.offset,
          batch: x.shape[0], groups: groups, inChannels: weight.shape[1], outChannels: weight.shape[0] / groups,
          inLength: x.shape[2], outLength: length, taps: weight.shape[2], stride: stride, before: padding.before,
          isPlain: isPlain, picks: isPlain ? nil : numbers(of: weight).flatMap { Self.picks($0, rowLength: rows) })))
  }

  /// Of each row the place of its only 1 among zeros, if all rows are so: such a kernel only moves samples.
  private static func picks(_ kernels: ArraySlice<Float>, rowLength: Int) -> [Int]? {
    var picks: [Int] = []
    for start in stride(from: kernels.startIndex, to: kernels.endIndex, by: rowLength) {
      let row = kernels[start..<start + rowLength]
      guard let place = row.firstIndex(of: 1), row.count(where: { $0 != 0 }) == 1 else { return nil }
      picks.append(place - start)
    }
    return picks
  }

  /// x (..., I), weight (O, I), bias (O,).
  private mutating func addLinear(_ layer: PortableProgram.Layer, _ x: PortableValue) throws(EdgeECGError) {
    let weight = try transposed(Self.input(1, of: layer))
    guard let inputs = x.shape.last, inputs == weight.shape[0], inputs > 0 else { throw Self.misfit(layer, x) }
    let output = try defineOutput(layer, shape: x.shape.dropLast() + [weight.shape[1]])
    try count(work: output.count, inputs)
    let bias = try bias(2, of: layer, count: weight.shape[1])
    add(
      .linear(
        x.place, weight.place, bias, output.place.offset, rows: x.count / inputs, inputs: inputs,
        outputs: weight.shape[1])
    )
  }

  /// No padding.
  private mutating func addAveragePool(_ layer: PortableProgram.Layer, _ x: PortableValue) throws(EdgeECGError) {
    guard let inLength = x.shape.last, inLength > 0 else { throw Self.misfit(layer, x) }
    let kernel = try Self.attribute("kernel", of: layer, in: 1...inLength, default: nil)
    let stride = try Self.attribute("stride", of: layer, in: 1...PortablePlan.mostNumbers, default: nil)
    let length = (inLength - kernel) / stride + 1
    let output = try defineOutput(layer, shape: x.shape.dropLast() + [length])
    try count(work: output.count, kernel)
    add(
      .averagePool(
        x.place, output.place.offset, rows: x.count / inLength, inLength: inLength, outLength: length, kernel: kernel,
        stride: stride))
  }

  /// Over one axis, which the layer's shape keeps with size 1 or drops.
  private mutating func addMean(_ layer: PortableProgram.Layer, _ x: PortableValue) throws(EdgeECGError) {
    let axis = try Self.axis(of: layer, x)
    var kept = x.shape
    kept[axis] = 1
    var dropped = x.shape
    dropped.remove(at: axis)
    guard x.shape[axis] > 0 else { throw Self.misfit(layer, x) }
    let output = try defineOutput(layer, shape: shape(of: layer) == kept ? kept : dropped)
    try count(work: x.count)
    add(
      .mean(
        x.place, output.place.offset, outer: x.shape.prefix(axis).reduce(1, *), count: x.shape[axis],
        inner: x.shape.dropFirst(axis + 1).reduce(1, *)))
  }

  /// Start to stop (not included) of one axis.
  private mutating func addSlice(_ layer: PortableProgram.Layer, _ x: PortableValue) throws(EdgeECGError) {
    let axis = try Self.axis(of: layer, x)
    let start = try Self.attribute("start", of: layer, in: 0...x.shape[axis], default: nil)
    let stop = try Self.attribute("stop", of: layer, in: start...x.shape[axis], default: nil)
    var sliced = x.shape
    sliced[axis] = stop - start
    let outer = x.shape.prefix(axis).reduce(1, *)
    let inner = x.shape.dropFirst(axis + 1).reduce(1, *)
    guard outer > 1 else {  // the numbers lie together as they are
      guard sliced == shape(of: layer) else { throw Self.misfit(layer, x) }
      try define(layer.output, PortableValue(place: x.place.advanced(by: start * inner), shape: sliced))
      return
    }
    let output = try defineOutput(layer, shape: sliced)
    add(
      .copy(
        x.place.advanced(by: start * inner), output.place.offset, rows: outer, count: (stop - start) * inner,
        fromStride: x.shape[axis] * inner, toStride: (stop - start) * inner))
  }

  /// x (N, L) at whole-number places (N, K).
  private mutating func addGather(_ layer: PortableProgram.Layer, _ x: PortableValue) throws(EdgeECGError) {
    let places = try value(Self.input(1, of: layer))
    guard x.shape.count == 2, places.shape.count == 2, places.shape[0] == x.shape[0], x.shape[1] > 0 else {
      throw Self.misfit(layer, x)
    }
    let output = try defineOutput(layer, shape: places.shape)
    try count(work: output.count)
    add(
      .gather(
        x.place, places.place, output.place.offset, rows: x.shape[0], inLength: x.shape[1], outLength: places.shape[1])
    )
  }

  private mutating func addConcat(_ layer: PortableProgram.Layer, _ first: PortableValue) throws(EdgeECGError) {
    let axis = try Self.axis(of: layer, first)
    let parts = try layer.inputs.map { name throws(EdgeECGError) in try value(name) }
    var joined = first.shape
    joined[axis] = 0
    for part in parts {
      guard part.shape.count == joined.count,
        joined.indices.allSatisfy({ $0 == axis || part.shape[$0] == joined[$0] })
      else { throw Self.misfit(layer, part) }
      joined[axis] += part.shape[axis]
    }
    let output = try defineOutput(layer, shape: joined)
    let inner = joined.dropFirst(axis + 1).reduce(1, *)
    let outer = joined.prefix(axis).reduce(1, *)
    var at = output.place.offset
    for part in parts {
      let size = part.shape[axis] * inner
      add(.copy(part.place, at, rows: outer, count: size, fromStride: size, toStride: joined[axis] * inner))
      at += size
    }
  }

  /// Of two inputs, broadcast as in NumPy, or of one and the number `value` of the layer.
  private mutating func addBinary(_ op: PortableBinary, _ layer: PortableProgram.Layer, _ x: PortableValue)
    throws(EdgeECGError)
  {
    let y: PortableValue
    if layer.inputs.count == 1 {
      guard let number = layer.attributes["value"]?.double, Float(number).isFinite else {
        throw EdgeECGError.bundle("the portable form has \(layer.op) of one input and no number")
      }
      y = try constant(Float(number))
    } else {
      y = try value(Self.input(1, of: layer))
    }
    let output = try defineOutput(layer, shape: shape(of: layer))
    try count(work: output.count)
    guard let broadcast = Broadcast(x.shape, y.shape, to: output.shape) else { throw Self.misfit(layer, x) }
    add(.binary(op, x.place, y.place, output.place.offset, broadcast))
  }

  private mutating func defineOutput(_ layer: PortableProgram.Layer, shape inferred: [Int]) throws(EdgeECGError)
    -> PortableValue
  {
    guard inferred == shape(of: layer) else {
      throw EdgeECGError.bundle(
        "the portable form has \(layer.op) of shape \(shown(shape(of: layer))), its inputs give \(shown(inferred))")
    }
    return try define(layer.output, shape: inferred)
  }

  private func shape(of layer: PortableProgram.Layer) -> [Int] {
    layer.shape.map { $0.resolved(references) }
  }

  private mutating func bias(_ index: Int, of layer: PortableProgram.Layer, count: Int) throws(EdgeECGError)
    -> PortablePlace?
  {
    guard layer.inputs.count > index else { return nil }
    let bias = try value(layer.inputs[index])
    guard bias.shape == [count] else { throw Self.misfit(layer, bias) }
    return bias.place
  }

  private static func input(_ index: Int, of layer: PortableProgram.Layer) throws(EdgeECGError) -> String {
    guard index < layer.inputs.count else {
      throw EdgeECGError.bundle("the portable form has \(shown(layer.op)) with \(layer.inputs.count) inputs")
    }
    return layer.inputs[index]
  }

  private static func attribute(
    _ name: String, of layer: PortableProgram.Layer, in range: ClosedRange<Int>, default usual: Int?
  ) throws(EdgeECGError) -> Int {
    if layer.attributes[name] == nil, let usual { return usual }
    guard let value = layer.attributes[name]?.integer, range.contains(value) else {
      throw EdgeECGError.bundle(
        "the portable form has \(layer.op) whose \(name) is not in \(range.lowerBound)...\(range.upperBound)")
    }
    return value
  }

  private static func axis(of layer: PortableProgram.Layer, _ x: PortableValue) throws(EdgeECGError) -> Int {
    guard !x.shape.isEmpty else { throw misfit(layer, x) }
    return try attribute("axis", of: layer, in: 0...x.shape.count - 1, default: nil)
  }

  private static func padding(of layer: PortableProgram.Layer) throws(EdgeECGError) -> (before: Int, after: Int) {
    guard let json = layer.attributes["padding"] else { return (0, 0) }
    guard let both = json.items?.compactMap({ $0.integer }), both.count == 2, json.items?.count == 2,
      both.allSatisfy({ (0...PortablePlan.mostNumbers).contains($0) })
    else { throw EdgeECGError.bundle("the portable form has \(layer.op) whose padding is no pair of sizes") }
    return (both[0], both[1])
  }

  private static func misfit(_ layer: PortableProgram.Layer, _ x: PortableValue) -> EdgeECGError {
    .bundle("the portable form has \(shown(layer.op)) that does not fit its input of shape \(shown(x.shape))")
  }
}
