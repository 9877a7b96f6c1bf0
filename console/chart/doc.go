// Package chart draws the console's charts as SVG on the server: bars by day, strips of runs, lines over time with a
// forecast, gauges, and diagrams of boxes and arrows. A chart is a sentence that says what it shows, a picture without script or inline style, and the same
// numbers as a table.
//
// The picture is hidden from screen readers, which have the sentence and the table: a picture with links in it can be no
// image for them. Colours are classes of the console's style sheet, and no meaning hangs on a colour alone. The package does
// no I/O and knows no language; its functions are safe for concurrent use.
package chart
