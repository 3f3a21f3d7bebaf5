# Stands in for OpenWrt's package.mk. As there, what is built is built again if a file has changed in the package's folder or in
# PKG_FILE_DEPENDS, and not at all if it is not selected, without a word.
PKG_BUILD_DIR?=$(TOPDIR)/build_dir/$(PKG_NAME)
PKG_INSTALL_DIR?=$(PKG_BUILD_DIR)/ipkg-install
STAMP_PREPARED:=$(PKG_BUILD_DIR)/.prepared_$(firstword $(shell find $(CURDIR) $(PKG_FILE_DEPENDS) -type f -printf "%p%T@\n" | sort | md5sum))

define BuildPackage
$$(eval $$(call Package/$(1)))
compile: $(if $(CONFIG_PACKAGE_$(1)),$(STAMP_PREPARED))
$(STAMP_PREPARED):
	rm -rf $(PKG_BUILD_DIR)
	mkdir -p $(PKG_BUILD_DIR)
	$$(Build/Prepare)
	ls $(TOPDIR)/package/feeds/*/$(patsubst %/host,%,$(PKG_BUILD_DEPENDS))/Makefile >/dev/null
	$$(Build/Compile)
	touch $$@
install:
	$$(call Package/$(1)/install,$$(DESTINATION))
print:
	@echo $(PKG_NAME) $(PKG_VERSION) $(PKG_RELEASE) $$(USERID) $$(strip $$(Package/$(1)/conffiles))
endef
