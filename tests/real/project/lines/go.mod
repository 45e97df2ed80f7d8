module example.com/lines

go 1.19

require example.com/plural v1.0.0
