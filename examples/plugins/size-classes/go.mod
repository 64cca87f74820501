module example.com/size-classes

go 1.24
