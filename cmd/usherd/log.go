package main

import (
	"io"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"usherd/config"
)

// newLog builds the daemon's log: JSON for machines, lines for people at a terminal. It does not
// sample, unlike zap's production preset, so that no line of the history is lost.
func newLog(w io.Writer, c config.Log) *zap.Logger {
	level := zapcore.InfoLevel
	if c.Level != "" {
		_ = level.Set(c.Level) // the configuration has been checked
	}
	enc := zap.NewProductionEncoderConfig()
	enc.TimeKey, enc.EncodeTime = "time", zapcore.RFC3339NanoTimeEncoder
	enc.EncodeDuration = zapcore.SecondsDurationEncoder
	enc.CallerKey, enc.StacktraceKey = "", ""
	encoder := zapcore.NewJSONEncoder(enc)
	if c.Format == "text" || c.Format != "json" && interactive(w) {
		enc.EncodeTime = zapcore.TimeEncoderOfLayout("15:04:05")
		enc.EncodeLevel = zapcore.CapitalLevelEncoder
		enc.EncodeDuration = zapcore.StringDurationEncoder
		encoder = zapcore.NewConsoleEncoder(enc)
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(w)), level))
}
