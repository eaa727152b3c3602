import EdgeECG
import Foundation

exit(CommandLineTool(arguments: Array(CommandLine.arguments.dropFirst())).run())
