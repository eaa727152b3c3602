edge-ecg pack bundle --out person.ecgbundle
cd ios_bridge/Examples/WatchDemo
xcodegen
open WatchDemo.xcodeproj
