// Just enough of Apple's SwiftUI to type-check EdgeECGUI and Examples/WatchDemo without a Mac; nothing here runs.
import Foundation
import UIKit
import UniformTypeIdentifiers
import WatchKit

@MainActor public protocol View {
  associatedtype Body: View
  @ViewBuilder var body: Body { get }
}
extension Never: View { public var body: Never { return fatalError() } }
public protocol Primitive: View where Body == Never {}
extension Primitive { public var body: Never { return fatalError() } }

@resultBuilder public struct ViewBuilder {
  public static func buildBlock<each Content: View>(_ content: repeat each Content) -> Group { fatalError() }
  public static func buildEither(first: some View) -> Group { fatalError() }
  public static func buildEither(second: some View) -> Group { fatalError() }
  public static func buildOptional(_ content: Group?) -> Group { fatalError() }
}
public struct Group: Primitive {}

@MainActor public protocol Scene {}
@MainActor public protocol App {
  associatedtype Body: Scene
  var body: Body { get }
  init()
}
extension App { public static func main() { fatalError() } }
public struct WindowGroup: Scene { public init(@ViewBuilder content: () -> some View) { fatalError() } }

@propertyWrapper public struct State<Value>: @unchecked Sendable {
  public init(wrappedValue: Value) { fatalError() }
  public var wrappedValue: Value {
    get { fatalError() }
    nonmutating set { fatalError() }
  }
  public var projectedValue: Binding<Value> { fatalError() }
}
public struct Binding<Value> {}
@MainActor @propertyWrapper public struct WKApplicationDelegateAdaptor<Delegate: NSObject & WKApplicationDelegate> {
  public init(_ type: Delegate.Type) { fatalError() }
  public var wrappedValue: Delegate { fatalError() }
}
@MainActor @propertyWrapper public struct UIApplicationDelegateAdaptor<Delegate: NSObject & UIApplicationDelegate> {
  public init(_ type: Delegate.Type) { fatalError() }
  public var wrappedValue: Delegate { fatalError() }
}

public struct Text: Primitive { public init(_ text: some StringProtocol) { fatalError() } }
public struct VStack: Primitive {
  public init(spacing: Double? = nil, @ViewBuilder content: () -> some View) { fatalError() }
}
public struct ScrollView: Primitive { public init(@ViewBuilder content: () -> some View) { fatalError() } }
public struct ProgressView: Primitive {
  public init() { fatalError() }
  public init(value: Double, total: Double) { fatalError() }
}
public struct Button: Primitive {
  public init(_ title: some StringProtocol, action: @escaping @MainActor () -> Void) { fatalError() }
}
public struct Canvas: Primitive {
  public init(renderer: @escaping (inout GraphicsContext, CGSize) -> Void) { fatalError() }
}
public struct GraphicsContext {
  public struct Shading { public static func color(_ color: Color) -> Shading { fatalError() } }
  public func stroke(_ path: Path, with shading: Shading, lineWidth: CGFloat = 1) { fatalError() }
}
public struct Path {
  public init() {}
  public mutating func move(to point: CGPoint) {}
  public mutating func addLine(to point: CGPoint) {}
}
public struct Color: Sendable {
  public static let green = Color()
  public static let red = Color()
  public static let secondary = Color()
}
public struct Font: Sendable {
  public static let headline = Font()
  public static let footnote = Font()
}

extension View {
  public func font(_ font: Font) -> some View { self }
  public func foregroundStyle(_ color: Color) -> some View { self }
  public func fileImporter(
    isPresented: Binding<Bool>, allowedContentTypes: [UTType],
    onCompletion: @escaping (Result<URL, any Error>) -> Void
  ) -> some View { self }
  public func padding() -> some View { self }
  public func frame(height: CGFloat) -> some View { self }
  public func accessibilityLabel(_ label: some StringProtocol) -> some View { self }
  public func task(id: some Equatable, _ action: @escaping @MainActor @Sendable () async -> Void) -> some View { self }
  public func task(_ action: @escaping @MainActor @Sendable () async -> Void) -> some View { self }
}
