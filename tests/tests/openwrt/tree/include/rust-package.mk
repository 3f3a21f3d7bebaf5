# Stands in for what the packages feed has in lang/rust.
RUST_ARCH_DEPENDS:=@mips
RustBinPackage=
Build/Compile/Cargo=@echo cargo install --path $(1)
