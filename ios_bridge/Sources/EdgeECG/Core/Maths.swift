/// The C library's functions: through Foundation where there is one, by their names on bare metal.
#if hasFeature(Embedded)
  @_extern(c, "exp") func exp(_ x: Double) -> Double
  @_extern(c, "log") func log(_ x: Double) -> Double
  @_extern(c, "log1p") func log1p(_ x: Double) -> Double
  @_extern(c, "expf") func exponential(_ x: Float) -> Float
  @_extern(c, "tanhf") func hyperbolicTangent(_ x: Float) -> Float
#else
  import Foundation

  func exp(_ x: Double) -> Double { Foundation.exp(x) }
  func log(_ x: Double) -> Double { Foundation.log(x) }
  func log1p(_ x: Double) -> Double { Foundation.log1p(x) }
  func exponential(_ x: Float) -> Float { Foundation.exp(x) }
  func hyperbolicTangent(_ x: Float) -> Float { Foundation.tanh(x) }
#endif
